// Everything that happened to one message, in order of time, and where it is now. It is read from what the stages stored: no
// stage rewrites what an earlier one wrote, so the trace needs no record of its own. Where the log can be searched, its lines are put in.
import { z } from 'zod';
import type { Session } from '#mail/envelope/envelope.ts';
import { type MessageId, receivedAtOf } from '#mail/header/message-id.ts';
import { json, notFound } from '#ops/api/answer.ts';
import { messageId } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
import { deliveriesOf, type ShownDelivery } from '#ops/deliveries.ts';
import type { MailDeps } from '#ops/deps.ts';
import { heldPlace } from '#ops/held-jobs.ts';
import { findRawKey } from '#ops/messages/show-message.ts';
import { readRelease } from '#ops/releases/released-copy.ts';
import { type ChaosOutcome, chaosSentence } from '#pipeline/chaos/outcome.ts';
import { parseMessageKey } from '#pipeline/contract/keys.ts';
import type { ObjectFacts } from '#pipeline/contract/ports.ts';
import { type InboxMessage, inboxMessageRecord } from '#pipeline/contract/records/inbox-message.ts';
import { queueNames } from '#pipeline/contract/stages.ts';
import { isDamagedBody, readBody } from '#pipeline/contract/stored-body.ts';
import { readEnvelope } from '#pipeline/contract/stored-envelope.ts';
import { deliveryEvents, deliveryPlace } from './trace-delivery.ts';
import { type TraceEvent, traceEvent } from './trace-event.ts';
import { heldByLog, logEvent } from './trace-log.ts';
import { acceptEvents, copyEvent, releaseEvents } from './trace-release.ts';

type Deps = Pick<MailDeps, 'admin' | 'store' | 'clock' | 'findLogLines' | 'hookLines' | 'chaos'>;

/** One copy in a mailbox. `message`: what all copies have in common. */
type StoredCopy = {
  readonly key: string;
  readonly at: string;
  readonly place: NonNullable<ReturnType<typeof parseMessageKey>>;
  readonly message: InboxMessage;
};

const deadLettersSearched = 500;
const lookedForTogether = 32;

/** `where`: one sentence for each place the message is in now. `notes`: what of the story could not be asked for, and why. */
export const traceMessage = useCase({
  about: 'all that happened to it, and where it is now',
  takes: { ID: messageId },
  gives: z.object({
    id: z.string(),
    events: z.array(traceEvent),
    where: z.array(z.string()),
    notes: z.array(z.string()),
  }),
  answer: async (deps: Deps, { ID: id }) => {
    const [copies, releases, deliveries, dead, stored, { lines, note }] = await Promise.all([
      storedCopies(deps, id),
      releaseEvents(deps, id),
      deliveriesOf(deps, id),
      deadOf(deps, id),
      storedAt(deps, id),
      deps.findLogLines?.(id) ?? noLog,
    ]);
    const notes = note === null ? [] : [note];
    const isStored = copies.length + deliveries.length + dead.length > 0 || stored !== null;
    if (!isStored && lines.length === 0) return notFound([`no message ${id}`, ...notes].join('; '));
    const events = [
      ...(deps.chaos?.of(id) ?? []).map(faultEvent),
      ...(isStored ? [receivedEvent(id, copies, stored)] : []),
      ...judgedEvents(copies),
      ...copies.map(storedEvent),
      ...(await acceptEvents(
        deps,
        copies.map(({ key }) => key),
        copies[0]?.message ?? null,
      )),
      ...releases,
      ...deliveries.flatMap(deliveryEvents),
      ...dead,
      ...[...lines, ...(deps.hookLines?.(id) ?? [])].map(logEvent),
    ].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
    const held = [...(await deps.admin.heldJobs(id)), ...heldByLog(lines)].map((job) => heldPlace(job, deps.clock()));
    const lost = stored?.lost ?? null;
    const places = isStored
      ? whereNow({ copies, deliveries, dead, held })
      : ['nothing of it is stored: only the log tells of it'];
    const where = [...places, ...(lost === null ? [] : [`its bytes are lost: ${lost}`])];
    return json({ id, events, where, notes });
  },
});

const noLog: Awaited<ReturnType<NonNullable<Deps['findLogLines']>>> = { lines: [], note: null };

/** One copy is read; the others, of which there may be a thousand, are only looked up. */
async function storedCopies({ admin, store }: Deps, id: MessageId): Promise<readonly StoredCopy[]> {
  const keys = await admin.findMessage(id);
  let message: InboxMessage | null = null;
  for (const key of keys) {
    message = await inboxMessageRecord.find(store, key);
    if (message !== null) break;
  }
  if (message === null) return [];
  const copies: StoredCopy[] = [];
  for (let at = 0; at < keys.length; at += lookedForTogether) {
    const some = keys.slice(at, at + lookedForTogether);
    const found = await Promise.all(some.map((key) => store.head(key)));
    for (const [n, key] of some.entries()) {
      const [place, facts] = [parseMessageKey(key), found[n] ?? null];
      if (place !== null && facts !== null) copies.push({ key, at: storedTime(facts, message), place, message });
    }
  }
  return copies;
}

/** S3 tells the second alone, which begins before the message came. */
function storedTime({ modifiedAt }: ObjectFacts, { receivedAt }: InboxMessage): string {
  return modifiedAt < receivedAt ? receivedAt : modifiedAt;
}

async function storedAt(deps: Deps, id: MessageId) {
  const key = await findRawKey(deps, id);
  const facts = key === null ? null : await deps.store.head(key);
  if (facts === null) return null;
  const envelope = await readEnvelope(deps.store, facts);
  const release = readRelease(facts.metadata);
  return { key: facts.key, bytes: facts.bytes, envelope, release, lost: await whyLost(deps, facts.key) };
}

/** Why the stored bytes are lost; null if the first of them can be read. */
async function whyLost({ store }: Deps, key: string): Promise<string | null> {
  try {
    const found = await store.get(key, { first: 0, last: 0 });
    if (found !== null) await readBody(found.body);
    return null;
  } catch (thrown) {
    if (isDamagedBody(thrown)) return thrown.message;
    throw thrown;
  }
}

async function deadOf({ admin }: Deps, id: MessageId): Promise<readonly TraceEvent[]> {
  const found = await Promise.all(queueNames.map((queue) => admin.deadLetters(queue, deadLettersSearched)));
  return found
    .flat()
    .filter((dead) => dead.id === id)
    .map(({ queue, reason, receiveCount, diedAt }) => ({
      at: diedAt,
      event: 'gave-up',
      // A hook is tried by a job of its own each time, and the reason counts them.
      text: `moved to the dead letters of queue ${queue}${queue === 'notify' ? '' : ` after ${receiveCount} tries`}: ${reason}`,
      details: { queue, receiveCount, reason },
    }));
}

function receivedEvent(
  id: MessageId,
  copies: readonly StoredCopy[],
  stored: Awaited<ReturnType<typeof storedAt>>,
): TraceEvent {
  const message = copies[0]?.message;
  const at = message?.receivedAt ?? receivedAtOf(id);
  const size = message?.raw.bytes ?? stored?.bytes;
  const session = message?.session ?? stored?.envelope?.session ?? null;
  const reversePath = message?.envelope.reversePath ?? stored?.envelope?.reversePath ?? null;
  if (stored?.release) return copyEvent(at, stored.release, { key: stored.key, bytes: stored.bytes, reversePath });
  const from = session === null ? '' : sender(session, reversePath ?? '');
  return {
    at,
    event: 'received',
    text: `received${from}${size === undefined ? '' : `, ${size} bytes`}, stored and acknowledged`,
    details: { session, reversePath, stored: stored === null ? null : { key: stored.key, bytes: stored.bytes } },
  };
}

function faultEvent(outcome: ChaosOutcome): TraceEvent {
  return { at: outcome.at, event: 'fault', text: chaosSentence(outcome), details: outcome };
}

function sender({ clientIp, clientName, tls, user }: Session, reversePath: string): string {
  const peer = clientIp === null ? 'from this service itself' : `from ${clientName ?? clientIp}`;
  const login = user === null ? '' : ` (logged in as ${user})`;
  return ` ${peer}${login} as <${reversePath}>${tls === null ? '' : ` over ${tls.version}`}`;
}

/** The verdict is stored with each copy; it is older than the first of them, and a copy that was released is much younger. */
function judgedEvents(copies: readonly StoredCopy[]): readonly TraceEvent[] {
  return copies.slice(0, 1).map(({ at, message: { receivedAt, authentication, disposition } }) => ({
    at: disposition.released === undefined ? at : receivedAt,
    event: 'judged',
    text: `${isWithheld(disposition) ? 'quarantined' : 'accepted'}: ${disposition.reason}`,
    details: { disposition, results: authentication.results },
  }));
}

/** What policy decided, whatever a person made of it later. */
function isWithheld({ action, released }: InboxMessage['disposition']): boolean {
  return action === 'quarantine' || released !== undefined;
}

function storedEvent({ key, at, place, message: { problems } }: StoredCopy): TraceEvent {
  const noted = problems.length === 0 ? '' : `, with ${problems.length} problems noted`;
  const folder = place.folder === 'quarantine' ? 'the quarantine' : 'the inbox';
  return {
    at,
    event: 'landed',
    text: `delivered to ${folder} of ${place.localPart}@${place.domain}${noted}`,
    details: { key, problems },
  };
}

function whereNow({
  copies,
  deliveries,
  dead,
  held,
}: {
  readonly copies: readonly StoredCopy[];
  readonly deliveries: readonly ShownDelivery[];
  readonly dead: readonly TraceEvent[];
  /** A sentence for each. */
  readonly held: readonly string[];
}): readonly string[] {
  const places = [
    ...copies.map(({ key }) => `stored as ${key}`),
    ...deliveries.map(deliveryPlace),
    ...held,
    ...dead.map(({ details }) => `dead letter on queue ${String(details['queue'])}: redrive it once the cause is gone`),
  ];
  return places.length > 0 ? places : ['acknowledged, waiting on a queue or being worked on'];
}
