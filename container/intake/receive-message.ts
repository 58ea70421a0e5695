// One message from DATA or BDAT, judged as it comes: size, line endings, hops, and for submitted mail who it is from.
// Once refused, the rest is read and thrown away, and the refusal is the answer at the end; what is accepted goes to
// store-message.ts as it came; submitted mail without its Bcc and Return-Path fields. NUL octets pass (RFC 5321 §4.5.2 leaves them to us): they smuggle nothing, and a reader can tell.

import type { ListenerDeps } from '#container/listener-deps.ts';
import type { MessageId } from '#mail/header/message-id.ts';
import { createLineEndingCheck, type LineEndingCheck, normaliseLineEndings } from '#mail/smtp/line-endings.ts';
import { replies } from '#mail/smtp/replies.ts';
import { type Reply, shownReply } from '#mail/smtp/reply.ts';
import { createHeaderWatch, type HeaderWatch } from './header-watch.ts';
import { type StoredMessage, type StoreRequest, storeMessage } from './store-message.ts';
import { judgeSubmission } from './submission-rules.ts';

export type ReceiveRequest = Omit<StoreRequest, 'deps' | 'id' | 'receivedAt'> & {
  readonly deps: Pick<ListenerDeps, 'intake' | 'clock' | 'newMessageId' | 'log' | 'metrics'>;
  /** The addresses that the submitter may write as; null: not submitted, so the header is not judged here. */
  readonly mayFrom: readonly string[] | null;
  /** The message is far too big and does not end: say so and hang up. */
  readonly hangUp: (reply: Reply) => void;
};

/** A message that is coming in. After `finish` or `abort`, nothing more may be written. */
export type IncomingMessage = {
  /** The id that it has if it is accepted. */
  readonly id: MessageId;
  readonly write: (chunk: Buffer) => Promise<void> | undefined;
  /** Why it will not be taken, as soon as that is clear; what still comes is thrown away. */
  readonly refusal: () => Reply | null;
  /** Resolves to the reply; what the store does is a reply too. */
  readonly finish: () => Promise<Reply>;
  /** The sender is gone before the end: nothing stays. */
  readonly abort: () => void;
};

const maxHeaderBytes = 262_144; // held back while a submitted header is judged
const maxHeldPieces = 256;
// Lists and forwards may bring a message back a few times. Where aliases here and elsewhere lead to each other, each round may
// double it: that must end long before its hops are used up.
const maxOwnHops = 10;
const maxWasteBytes = 1_048_576; // thrown away of what is refused, beyond twice the size that is allowed

type State = {
  readonly request: ReceiveRequest;
  readonly id: StoreRequest['id'];
  readonly nowMs: number;
  readonly store: StoredMessage;
  readonly lines: LineEndingCheck | null;
  readonly watch: HeaderWatch;
  /** The header of a submitted message while it is held back. */
  held: Buffer[] | null;
  heldBytes: number;
  bytes: number;
  refusal: Reply | null;
  isOver: boolean;
};

/** Begins to receive. */
export function receiveMessage(request: ReceiveRequest): IncomingMessage {
  const { deps, config, envelope, mayFrom } = request;
  const nowMs = deps.clock();
  const id = deps.newMessageId(nowMs);
  const isText = envelope.bodyType !== 'binarymime'; // RFC 3030 §3: the others are lines
  const state: State = {
    request,
    id,
    nowMs,
    store: storeMessage({ ...request, id, receivedAt: new Date(nowMs).toISOString() }),
    lines: isText && config.limits.bareLineFeeds === 'reject' ? createLineEndingCheck() : null,
    watch: createHeaderWatch(config.hostname),
    held: mayFrom === null ? null : [],
    heldBytes: 0,
    bytes: 0,
    refusal: null,
    isOver: false,
  };
  return {
    id,
    write: (chunk) => write(state, chunk),
    refusal: () => state.refusal,
    finish: () => finish(state),
    abort: () => abort(state),
  };
}

function write(state: State, chunk: Buffer): Promise<void> | undefined {
  const { config, hangUp } = state.request;
  state.bytes += chunk.length;
  const bodyAt = state.refusal === null ? judge(state, chunk) : -1;
  if (state.refusal !== null) {
    if (state.bytes > 2 * config.limits.messageBytes + maxWasteBytes) hangUp(state.refusal);
    return undefined;
  }
  if (state.held === null) return state.store.write(chunk);
  const piece = bodyAt < 0 ? chunk : chunk.subarray(0, bodyAt);
  state.held.push(piece);
  if (state.held.length > maxHeldPieces) state.held = [Buffer.concat(state.held)]; // each costs more than its octets
  state.heldBytes += piece.length;
  if (state.heldBytes > maxHeaderBytes) refuse(state, replies.headerTooBig);
  else if (bodyAt >= 0) return releaseHeader(state, state.held, chunk.subarray(bodyAt));
  return undefined;
}

/** Looks at the next bytes; answers where in them the body begins, -1 while the header goes on. */
function judge(state: State, chunk: Buffer): number {
  const { limits } = state.request.config;
  const bodyAt = state.watch.push(chunk);
  state.lines?.push(chunk);
  if (state.bytes > limits.messageBytes) refuse(state, replies.messageTooBig(limits.messageBytes));
  else if (hasBareLineFeed(state)) refuse(state, replies.bareLineFeed);
  else if (isLooping(state)) refuse(state, replies.loop);
  return bodyAt;
}

function isLooping({ request, watch }: State): boolean {
  return watch.hops() > request.config.limits.hops || watch.ownHops() > maxOwnHops;
}

function hasBareLineFeed({ lines }: State): boolean {
  return lines?.found === 'bare-cr' || lines?.found === 'bare-lf';
}

function refuse(state: State, reply: Reply): void {
  state.refusal = reply;
  state.held = null;
  state.store.drop();
}

/** Lets the header of a submitted message through, with what it lacks and without what is private; or refuses the message. */
function releaseHeader(state: State, held: readonly Buffer[], behind: Buffer): Promise<void> | undefined {
  const { config, envelope, mayFrom } = state.request;
  const received = Buffer.concat(held);
  // Where lines may end in a bare CR or LF, or have not been looked at, they leave in CRLF later on: what is judged has them already.
  const header = state.lines === null && !received.includes(0) ? Buffer.from(normaliseLineEndings(received)) : received;
  state.held = null;
  const verdict = judgeSubmission(header, {
    mayFrom: mayFrom ?? [],
    reversePath: envelope.reversePath,
    id: state.id,
    hostname: config.hostname,
    nowMs: state.nowMs,
  });
  if (verdict.outcome === 'accepted') return state.store.write(Buffer.concat([verdict.header, behind]));
  refuse(state, verdict.reply);
  return undefined;
}

async function finish(state: State): Promise<Reply> {
  state.isOver = true;
  state.lines?.end();
  state.watch.end();
  if (state.refusal === null && hasBareLineFeed(state)) refuse(state, replies.bareLineFeed);
  if (state.refusal === null && isLooping(state)) refuse(state, replies.loop);
  if (state.refusal === null && state.held !== null) await releaseHeader(state, state.held, Buffer.alloc(0));
  const reply = state.refusal ?? (await state.store.commit());
  record(state, reply);
  return reply;
}

/** The sender did not wait for the end. A refusal that it was told before that is on record all the same. */
function abort(state: State): void {
  state.store.drop();
  if (!state.isOver && state.refusal !== null) record(state, state.refusal);
  state.isOver = true;
}

function record(state: State, reply: Reply): void {
  const { deps, envelope } = state.request;
  const { role, clientIp, user } = envelope.session;
  const facts = {
    id: state.id,
    role,
    clientIp,
    user: user ?? undefined,
    reversePath: envelope.reversePath,
    bytes: state.bytes,
  };
  if (reply.code === 250) {
    deps.log.info('message-accepted', { ...facts, recipients: envelope.recipients.length });
    deps.metrics.count('messages-accepted', { role });
    deps.metrics.measure('message-bytes', state.bytes, { role });
  } else {
    deps.log.warn('message-refused', { ...facts, reply: shownReply(reply) });
    deps.metrics.count('refusals', { reason: `${reply.code} ${reply.enhanced}` });
  }
}
