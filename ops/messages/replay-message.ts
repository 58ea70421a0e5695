// Judges and parses a stored message once more: as itself, or as a new message for another mailbox. Outputs have fixed keys
// and are written once: a replay under the same id makes what is missing (a deleted inbox object, jobs that were purged) and
// leaves the rest.
import { z } from 'zod';
import { type EmailAddress, formatAddress, parseAddress } from '#mail/address/address.ts';
import { srsReverse } from '#mail/address/srs.ts';
import { internalSession, isLoggedIn, type RoutedEnvelope, type Session } from '#mail/envelope/envelope.ts';
import { noDsn, type Route, type RoutedRecipient } from '#mail/envelope/recipient.ts';
import { routeRecipient } from '#mail/envelope/route-recipient.ts';
import { type StoredEnvelope, storedForm } from '#mail/envelope/stored-envelope.ts';
import { type MessageId, messageIdTime, receivedAtOf } from '#mail/header/message-id.ts';
import { isProblem } from '#mail/problem.ts';
import type { MailAdmin } from '#ops/admin.ts';
import { json, notFound, refusal } from '#ops/api/answer.ts';
import { address, messageId } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
import { bodyTypeOf, digestBody } from '#ops/releases/digest-body.ts';
import { readRelease } from '#ops/releases/released-copy.ts';
import type { Config, ConfigSource } from '#pipeline/config/config.ts';
import { receivedGroup } from '#pipeline/contract/job-groups.ts';
import type { ReceivedJob } from '#pipeline/contract/jobs.ts';
import { rawKey } from '#pipeline/contract/keys.ts';
import type { Clock, Intake, JobSender, ObjectStore, StoredObject } from '#pipeline/contract/ports.ts';
import { readEnvelope } from '#pipeline/contract/stored-envelope.ts';

const maxDeliveries = 500;

export type ReplayDeps = {
  readonly store: Pick<ObjectStore, 'get'>;
  readonly jobs: JobSender;
  readonly intake: Intake;
  readonly config: ConfigSource;
  readonly srsSecret: () => Promise<string>;
  readonly newMessageId: (nowMs: number) => MessageId;
  readonly clock: Clock;
};

/**
 * `queued`: under `id`, for `recipients`; `leftOut`: the others, and why. `refused`: no recipient is left, or its envelope
 * cannot be read; `reason` says which.
 */
export type ReplayOutcome =
  | {
      readonly outcome: 'queued';
      readonly id: MessageId;
      readonly recipients: readonly string[];
      readonly leftOut: readonly string[];
    }
  | { readonly outcome: 'not-found' }
  | { readonly outcome: 'refused'; readonly reason: string };

/** `to`: the mailbox it goes to instead, under a new id; null: to those it was for. */
export type ReplayMessage = (request: {
  readonly id: MessageId;
  readonly to: EmailAddress | null;
}) => Promise<ReplayOutcome>;

type ReplayOneDeps = { readonly admin: MailAdmin; readonly replayMessage: ReplayMessage };

/** `kept`: the objects that exist already and stay. */
export const replayOneMessage = useCase({
  about: 'judge and parse a message once more; to: into another mailbox, under a new id',
  takes: { ID: messageId, to: address('a mailbox here (local@domain)').optional() },
  gives: z.object({
    id: z.string(),
    outcome: z.literal('queued'),
    recipients: z.array(z.string()),
    leftOut: z.array(z.string()),
    kept: z.array(z.string()),
  }),
  status: 202,
  refuses: ['not-replayed'],
  answer: async ({ admin, replayMessage }: ReplayOneDeps, { ID: id, to = null }) => {
    const copies = to === null ? await admin.findMessage(id) : [];
    const deliveries = to === null ? (await admin.deliveryKeys({ id, limit: maxDeliveries, after: null })).keys : [];
    const replayed = await replayMessage({ id, to });
    switch (replayed.outcome) {
      case 'queued':
        return json({ ...replayed, kept: [...copies, ...deliveries] }, 202);
      case 'not-found':
        return notFound(`message ${id} is not stored, or not any more`);
      case 'refused':
        return refusal(409, 'not-replayed', replayed.reason);
    }
  },
});

type Recipients = { readonly recipients: RoutedRecipient[]; readonly leftOut: readonly string[] };

export function createReplayMessage(deps: ReplayDeps): ReplayMessage {
  return async ({ id, to }) => {
    const key = rawKey({ id, receivedAt: receivedAtOf(id) });
    const stored = await deps.store.get(key);
    if (stored === null) return { outcome: 'not-found' };
    const released = readRelease(stored.metadata);
    if (released !== null) {
      destroy(stored);
      return { outcome: 'refused', reason: `it is a copy that was released: release ${released.of} again` };
    }
    const envelope = await readEnvelope(deps.store, stored);
    if (envelope === null) {
      destroy(stored);
      return { outcome: 'refused', reason: 'its envelope is not stored, or not understood' };
    }
    const config = await deps.config.current();
    const found = to === null ? await recipientsOf(deps, config, { id, envelope }) : mailboxesOf(config, to);
    if (found.recipients.length === 0) {
      destroy(stored);
      return { outcome: 'refused', reason: `nobody is left to get it: ${found.leftOut.join('; ')}` };
    }
    const sent = to === null ? sendAgain : storeAnew;
    const replayed = await sent(deps, { id, stored, envelope, recipients: found.recipients });
    const recipients = [...new Set(found.recipients.map(({ forwardPath }) => forwardPath))];
    return { outcome: 'queued', id: replayed, recipients, leftOut: found.leftOut };
  };
}

type Replay = {
  readonly id: MessageId;
  readonly stored: StoredObject;
  readonly envelope: StoredEnvelope;
  readonly recipients: RoutedRecipient[];
};

async function sendAgain({ jobs }: ReplayDeps, replay: Replay): Promise<MessageId> {
  const { stored, id } = replay;
  const content = await digestBody(stored.body);
  const raw = { key: stored.key, bytes: content.bytes, sha256: content.sha256 };
  const receivedAt = replay.envelope.receivedAt ?? receivedAtOf(id);
  const job = jobOf(replay, { id, receivedAt, raw, hasHighBytes: content.hasHighBytes });
  await jobs.send('received', job, { group: receivedGroup(job) });
  return id;
}

/** A new message of the same bytes. */
async function storeAnew({ intake, newMessageId, clock }: ReplayDeps, replay: Replay): Promise<MessageId> {
  const { stored } = replay;
  const now = clock();
  const id = newMessageId(now);
  const receivedAt = new Date(now).toISOString();
  const key = rawKey({ id, receivedAt });
  const envelope = storedForm(envelopeOf(replay, false), { id, receivedAt, replayOf: replay.id });
  const writer = intake.open({ key, envelope });
  try {
    const { hasHighBytes, ...raw } = await digestBody(stored.body, writer.write);
    await writer.commit(jobOf(replay, { id, receivedAt, raw: { key, ...raw }, hasHighBytes }));
  } catch (error) {
    await writer.abort();
    throw error;
  }
  return id;
}

type Identity = Pick<ReceivedJob, 'id' | 'receivedAt' | 'raw'> & { readonly hasHighBytes: boolean };

function jobOf(replay: Replay, { hasHighBytes, ...identity }: Identity): ReceivedJob {
  return { version: 2, ...identity, envelope: envelopeOf(replay, hasHighBytes), attempt: 1 };
}

function envelopeOf({ envelope, recipients }: Replay, hasHighBytes: boolean): RoutedEnvelope {
  const { receivedAt: _, ...kept } = envelope;
  const bodyType = bodyTypeOf(envelope.bodyType, { hasHighBytes });
  return { ...kept, session: sessionOf(envelope), bodyType, recipients };
}

/** Earlier versions stored only our own mail, from the null reverse-path, without a session. */
function sessionOf({ session, reversePath }: StoredEnvelope): Session {
  const role = reversePath === '' ? 'internal' : 'mx';
  return session ?? { ...internalSession, role };
}

/** Its recipients, by today's routes. After it has expired, nothing is sent to other servers. */
async function recipientsOf(
  deps: ReplayDeps,
  config: Config,
  { id, envelope }: { readonly id: MessageId; readonly envelope: StoredEnvelope },
): Promise<Recipients> {
  const session = sessionOf(envelope);
  const mayRelay = session.role === 'internal' || isLoggedIn(session);
  const isExpired = messageIdTime(id) + config.delivery.expireSeconds * 1_000 <= deps.clock();
  const recipients: RoutedRecipient[] = [];
  const leftOut: string[] = [];
  for (const { forwardPath, dsn } of envelope.recipients) {
    const routed = await routesOf(deps, config, { forwardPath, mayRelay });
    if ('reason' in routed) leftOut.push(`${forwardPath}: ${routed.reason}`);
    else {
      const isLate = (route: Route): boolean => isExpired && route.kind !== 'mailbox';
      if (routed.routes.some(isLate)) leftOut.push(`${forwardPath}: the time to send it to another server is over`);
      const kept = routed.routes.filter((route) => !isLate(route));
      recipients.push(...kept.map((route) => ({ forwardPath, dsn, route })));
    }
  }
  return { recipients, leftOut };
}

async function routesOf(
  { srsSecret, clock }: ReplayDeps,
  config: Config,
  { forwardPath, mayRelay }: { readonly forwardPath: string; readonly mayRelay: boolean },
): Promise<{ readonly routes: readonly Route[] } | { readonly reason: string }> {
  const address = parseAddress(forwardPath);
  if (isProblem(address)) return { reason: address.problem };
  const secret = /^SRS[01][=+-]/i.test(address.localPart) ? await srsSecret() : null;
  const routing = routeRecipient(config, address, {
    mayRelay,
    ...(secret === null ? {} : { srs: (srsAddress) => srsReverse(srsAddress, secret, clock()) }),
  });
  return routing.outcome === 'refused' ? { reason: routing.text } : { routes: routing.routes };
}

/** Only mailboxes here: a replay never relays. */
function mailboxesOf(config: Config, to: EmailAddress): Recipients {
  const forwardPath = formatAddress(to);
  const routing = routeRecipient(config, to, { mayRelay: false });
  if (routing.outcome === 'refused') return { recipients: [], leftOut: [`${forwardPath}: ${routing.text}`] };
  const mailboxes = routing.routes.filter((route) => route.kind === 'mailbox');
  const leftOut = mailboxes.length > 0 ? [] : [`${forwardPath} leads to no mailbox here`];
  return { recipients: mailboxes.map((route) => ({ forwardPath, dsn: noDsn, route })), leftOut };
}

/** A body that is not read must be ended: its connection is then free. */
function destroy({ body }: StoredObject): void {
  void body[Symbol.asyncIterator]().return?.();
}
