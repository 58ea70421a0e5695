// What the ops API asks of the emulator world: queues from the emulator, mail from the objects themselves. Keys are kept
// in memory, newest message first; summaries are read when they are asked for, and kept.
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { DeadLetter, MessagePage, MessageQuery, OpsAdmin, QueueCounts } from '#ops/admin.ts';
import { countMailboxes } from '#ops/messages/count-mailboxes.ts';
import { type MarkedSummary, type MessageSummary, summarise } from '#ops/messages/message-summary.ts';
import { matchesSearch, type SearchTexts, searchOf, searchTexts } from '#ops/messages/search-match.ts';
import type { DeadLetters } from '#pipeline/aws/dead-letters.ts';
import { unpacked } from '#pipeline/aws/pack.ts';
import { causeOf } from '#pipeline/aws/sqs-receiver.ts';
import { domainPrefix, isMailKey, mailboxPrefix, mailFolders, messageIdOf } from '#pipeline/contract/keys.ts';
import type { Clock, ObjectStore } from '#pipeline/contract/ports.ts';
import { inboxMessageRecord } from '#pipeline/contract/records/inbox-message.ts';
import { type Marks, noMarks } from '#pipeline/contract/records/marks.ts';
import { deadLetterQueue, type QueueName, queueNames } from '#pipeline/contract/stages.ts';
import type { Emulator } from './emulator.ts';
import type { HeldJobs } from './held-jobs.ts';
import type { KeyIndex } from './key-index.ts';
import { marksReader } from './known-marks.ts';

const maxKept = 5_000;
const searchMs = 5_000;

export type EmulatorAdminDeps = {
  readonly emulator: Pick<Emulator, 'queues' | 'jobs' | 'messages' | 'queueUrl'>;
  readonly store: Pick<ObjectStore, 'get' | 'list'>;
  readonly index: KeyIndex;
  readonly held: HeldJobs;
  readonly deadLetters: Pick<DeadLetters, 'redrive' | 'purge'>;
  readonly watchers: Readonly<Record<'written' | 'deleted', Set<(key: string) => void>>>;
  readonly clock: Clock;
};

type Read = { readonly summary: MessageSummary; readonly texts: SearchTexts };

/** Makes the admin side. */
export function createAdmin(deps: EmulatorAdminDeps): OpsAdmin {
  const { emulator, index, watchers } = deps;
  const read = summaryReader(deps.store);
  const marks = marksReader(deps.store);
  const pairOf = (queue: QueueName) => ({
    url: emulator.queueUrl(queue),
    deadUrl: emulator.queueUrl(queue, 'dead'),
  });
  return {
    queues: async () => countsOf(deps, await emulator.queues()),
    redrive: (queue) => deps.deadLetters.redrive(pairOf(queue)),
    purge: (queue) => deps.deadLetters.purge(pairOf(queue)),
    deadLetters: async (queue, limit) => {
      const messages = await emulator.messages(queue, 'dead');
      return messages
        .toReversed()
        .flatMap(unpacked)
        .slice(0, limit)
        .map((message) => deadLetter(queue, message));
    },
    heldJobs: async (id) => deps.held.of(id),
    messages: async (query) => search({ index, read, marks: await marks(), query }),
    findMessage: async (id) => index.ofMessage(id).filter(isMailKey).toSorted(),
    underWay: async (ids) => {
      const jobs = await emulator.jobs();
      return ids.filter((id) => jobs.some((body) => body.includes(id)));
    },
    deliveryKeys: async ({ id, limit, after }) => {
      const keys = index.newest('delivery', after).filter((key) => id === null || messageIdOf(key) === id);
      return { keys: keys.slice(0, limit), next: keys.length > limit ? (keys[limit - 1] ?? null) : null };
    },
    summary: async (key) => {
      const found = await read(key);
      return found && marked(found.summary, await marks());
    },
    oldest: async (mailbox, limit) => {
      const keys = index
        .newest('mail', null)
        .filter((key) => prefixesOf(mailbox).some((prefix) => key.startsWith(prefix)));
      const ids = keys.toReversed().map((key) => messageIdOf(key));
      return [...new Set(ids)].filter((id) => id !== null).slice(0, limit);
    },
    mailboxes: async () => countMailboxes(index.newest('mail', null), await marks()),
    watch: (listener) => {
      watchers.written.add(listener);
      return () => watchers.written.delete(listener);
    },
    watchDeleted: (listener) => {
      watchers.deleted.add(listener);
      return () => watchers.deleted.delete(listener);
    },
  };
}

type Search = {
  readonly index: KeyIndex;
  readonly read: (key: string) => Promise<Read | null>;
  readonly marks: ReadonlyMap<string, Marks>;
  readonly query: MessageQuery;
};

async function search({ index, read, marks, query: { mailbox, q, limit, after } }: Search): Promise<MessagePage> {
  const end = performance.now() + searchMs;
  const wanted = searchOf(q);
  const prefixes = prefixesOf(mailbox);
  const messages: MarkedSummary[] = [];
  const keys = index.newest('mail', after).filter((key) => prefixes.some((prefix) => key.startsWith(prefix)));
  for (const [at, key] of keys.entries()) {
    const found = await read(key);
    const summary = found && marked(found.summary, marks);
    if (found && summary && matchesSearch(wanted, summary, found.texts)) messages.push(summary);
    const isLast = at === keys.length - 1;
    if (!isLast && (messages.length >= limit || performance.now() > end)) return { messages, next: key };
  }
  return { messages, next: null };
}

function prefixesOf(mailbox: string | null): readonly string[] {
  if (mailbox === null) return [''];
  const at = mailbox.lastIndexOf('@');
  const [localPart, domain] = [mailbox.slice(0, at), mailbox.slice(at + 1)];
  if (localPart === '') return mailFolders.map((folder) => domainPrefix(folder, domain));
  return mailFolders.map((folder) => mailboxPrefix(folder, { domain, localPart }));
}

function marked(summary: MessageSummary, marks: ReadonlyMap<string, Marks>): MarkedSummary {
  const { read, tags } = marks.get(summary.id) ?? noMarks;
  return { ...summary, read, tags };
}

/** Objects of mail are written once: what was read stays true. */
function summaryReader(store: Pick<ObjectStore, 'get'>): (key: string) => Promise<Read | null> {
  const kept = new LRUCache<string, Read>({ max: maxKept });
  return async (key) => {
    const known = kept.get(key);
    if (known) return known;
    const message = await inboxMessageRecord.find(store, key);
    if (message === null) return null;
    const read = { summary: summarise(key, message), texts: searchTexts(message) };
    kept.set(key, read);
    return read;
  };
}

function countsOf(
  { clock, held }: EmulatorAdminDeps,
  queues: Awaited<ReturnType<Emulator['queues']>>,
): readonly QueueCounts[] {
  const of = (name: string) => queues.find((queue) => queue.name === name);
  return queueNames.map((name) => {
    const [live, dead] = [of(name), of(deadLetterQueue(name))];
    const oldestAt = live?.oldestAt ?? null;
    return {
      name,
      ready: live?.ready ?? 0,
      delayed: live?.delayed ?? 0,
      inFlight: live?.inFlight ?? 0,
      dead: (dead?.ready ?? 0) + (dead?.inFlight ?? 0),
      oldestSeconds: oldestAt === null ? null : Math.max(0, Math.round((clock() - oldestAt) / 1_000)),
      faults: held.faultsOf(name),
    };
  });
}

const aboutSchema = z.object({ id: z.string() });

function deadLetter(queue: QueueName, message: Awaited<ReturnType<Emulator['messages']>>[number]): DeadLetter {
  const { body, texts, sentAt, messageId } = message;
  const cause = causeOf(
    Object.fromEntries(Object.entries(texts).map(([name, stringValue]) => [name, { stringValue }])),
  );
  const reason = cause?.reason ?? `no run of it was answered; the log says why (messageId ${messageId})`;
  const receiveCount = cause?.handOuts ?? message.receiveCount;
  return { queue, id: idOf(body), body, reason, receiveCount, diedAt: new Date(sentAt).toISOString() };
}

function idOf(body: string): string | null {
  try {
    return aboutSchema.safeParse(JSON.parse(body)).data?.id ?? null;
  } catch {
    return null; // A dead letter may be dead because it is no JSON.
  }
}
