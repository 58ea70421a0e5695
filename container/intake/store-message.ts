// A message's way into intake: our Received field first, then the bytes, hashed and counted, within the budget of bytes
// in flight. If the store fails, that is logged with the message's id, and the reply at the end is 451.
import { createHash, type Hash, hash as hashOf } from 'node:crypto';
import type { ListenerDeps } from '#container/listener-deps.ts';
import type { RoutedEnvelope } from '#mail/envelope/envelope.ts';
import { storedForm } from '#mail/envelope/stored-envelope.ts';
import type { MessageId } from '#mail/header/message-id.ts';
import { formatReceivedField } from '#mail/header/received-field.ts';
import { errorMessage } from '#mail/problem.ts';
import { replies } from '#mail/smtp/replies.ts';
import type { Reply } from '#mail/smtp/reply.ts';
import type { Config } from '#pipeline/config/config.ts';
import { rawKey } from '#pipeline/contract/keys.ts';
import type { IntakeWriter } from '#pipeline/contract/ports.ts';
import type { BudgetShare, ByteBudget } from './byte-budget.ts';
import { createPieceGatherer, type PieceGatherer } from './gather-pieces.ts';

export type StoreRequest = {
  readonly deps: Pick<ListenerDeps, 'intake' | 'log'>;
  readonly budget: ByteBudget;
  readonly config: Config;
  readonly envelope: RoutedEnvelope;
  /** False after HELO. */
  readonly esmtp: boolean;
  readonly id: MessageId;
  readonly receivedAt: string;
  readonly onStored: (isStored: boolean) => void;
};

/** One message being stored. Nothing here rejects: what the store does is told by `commit`. */
export type StoredMessage = {
  /** A promise means: wait for it before the next write. */
  readonly write: (chunk: Buffer) => Promise<void> | undefined;
  /** `250` with the id once message and job are durable, or `451`. */
  readonly commit: () => Promise<Reply>;
  /** Nothing stays. Without effect once `commit` was called. */
  readonly drop: () => void;
};

type State = {
  readonly request: StoreRequest;
  readonly key: string;
  readonly share: BudgetShare;
  readonly pieces: PieceGatherer;
  readonly digest: Digest;
  bytes: number;
  writer: IntakeWriter | null;
  pending: Promise<void> | null;
  phase: 'open' | 'committing' | 'over';
};

/** Begins to store; nothing is opened before the first byte is there. */
export function storeMessage(request: StoreRequest): StoredMessage {
  const state: State = {
    request,
    key: rawKey(request),
    share: request.budget.open(),
    pieces: createPieceGatherer(),
    digest: createDigest(),
    bytes: 0,
    writer: null,
    pending: null,
    phase: 'open',
  };
  return {
    write(chunk) {
      const room = state.share.take(chunk.length);
      return room === undefined ? writeBehindField(state, chunk) : room.then(() => writeBehindField(state, chunk));
    },
    commit: () => commit(state),
    drop() {
      if (state.phase === 'open') leave(state);
    },
  };
}

function writeBehindField(state: State, chunk: Buffer): Promise<void> | undefined {
  const isFirst = state.bytes === 0;
  const piece = isFirst ? Buffer.concat([receivedField(state.request), chunk]) : chunk;
  state.bytes += piece.length;
  const gathered = isFirst ? piece : state.pieces.add(piece);
  return gathered === null ? undefined : hand(state, gathered);
}

function receivedField({ config, envelope, esmtp, id, receivedAt }: StoreRequest): Buffer {
  const [first, ...others] = new Set(envelope.recipients.map(({ forwardPath }) => forwardPath));
  const field = formatReceivedField({
    session: envelope.session,
    hostname: config.hostname,
    id,
    receivedAt,
    forRecipient: others.length === 0 ? (first ?? null) : null, // with several, each stays private
    smtpUtf8: envelope.smtpUtf8,
    esmtp,
  });
  return Buffer.from(field);
}

function hand(state: State, chunk: Buffer): Promise<void> | undefined {
  if (state.phase !== 'open') return undefined;
  try {
    const { deps, envelope, id, receivedAt } = state.request;
    state.writer ??= deps.intake.open({ key: state.key, envelope: storedForm(envelope, { id, receivedAt }) });
    state.digest.update(chunk);
    const wait = state.writer.write(chunk);
    if (wait === undefined) return undefined;
    state.pending = wait.then(
      () => {
        state.pending = null;
      },
      (error: unknown) => {
        state.pending = null;
        fail(state, error);
      },
    );
    return state.pending;
  } catch (error) {
    fail(state, error);
    return undefined;
  }
}

type Digest = { readonly update: (chunk: Buffer) => void; readonly hex: () => string };

/** SHA-256. Most messages are one piece, and one piece is hashed in one go. */
function createDigest(): Digest {
  let first: Buffer | null = null;
  let hash: Hash | null = null;
  return {
    update: (chunk) => {
      if (hash === null && first === null) first = chunk;
      else hash = (hash ?? createHash('sha256').update(first ?? '')).update(chunk);
      if (hash !== null) first = null;
    },
    hex: () => hash?.digest('hex') ?? hashOf('sha256', first ?? '', 'hex'),
  };
}

async function commit(state: State): Promise<Reply> {
  const { envelope, id, receivedAt, onStored } = state.request;
  if (state.bytes === 0) await writeBehindField(state, Buffer.alloc(0)); // an empty message is one too
  const rest = state.pieces.rest();
  if (rest !== null) await hand(state, rest);
  if (state.phase !== 'open' || state.writer === null) return replies.platformFault;
  state.phase = 'committing';
  const raw = { key: state.key, bytes: state.bytes, sha256: state.digest.hex() };
  try {
    await state.writer.commit({ version: 2, id, receivedAt, raw, envelope, attempt: 1 });
  } catch (error) {
    fail(state, error);
    return replies.platformFault;
  }
  state.phase = 'over';
  state.share.release();
  onStored(true);
  return replies.okQueued(id);
}

function fail(state: State, error: unknown): void {
  const { deps, id, onStored } = state.request;
  deps.log.error('store-failed', { id, error: errorMessage(error) });
  onStored(false);
  if (state.phase !== 'over') leave(state);
}

/** Gives back what was taken, and leaves nothing behind in the store once it is done with what it is doing. */
function leave(state: State): void {
  const { deps, id } = state.request;
  const { writer } = state;
  state.phase = 'over';
  state.writer = null;
  state.share.release();
  if (writer === null) return;
  (state.pending ?? Promise.resolve())
    .then(() => writer.abort())
    .catch((error: unknown) => deps.log.warn('intake-abort-failed', { id, error: errorMessage(error) }));
}
