// The list of mail of a deployment on AWS, newest first. For one mailbox its own objects are listed; for all mail, or for a
// domain, `raw/` is listed, since only its keys are in order of time over all mailboxes.
import { isMessageId, type MessageId, receivedAtOf } from '#mail/header/message-id.ts';
import type { MessagePage, MessageQuery } from '#ops/admin.ts';
import { type MarkedSummary, summarise } from '#ops/messages/message-summary.ts';
import { matchesSearch, searchOf, searchTexts } from '#ops/messages/search-match.ts';
import type { Search } from '#ops/messages/search-query.ts';
import { domainPrefix, mailboxPrefix, mailFolders, messageIdOf, rawPrefix } from '#pipeline/contract/keys.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';
import { inboxMessageRecord } from '#pipeline/contract/records/inbox-message.ts';
import { type Marks, marksRecord, noMarks } from '#pipeline/contract/records/marks.ts';
import type { CopyFinder } from './find-copies.ts';
import { newestKeys, type TreeReader } from './newest-first.ts';

export type SearchMailDeps = {
  readonly store: Pick<ObjectStore, 'get'>;
  readonly reader: TreeReader;
  readonly copies: Pick<CopyFinder, 'byEnvelope'>;
  readonly onProgress: (sentence: string) => void;
};

type Candidate = { readonly id: MessageId; readonly keys: () => Promise<readonly string[]> };

/** A search reads at most so many messages; then it answers what it found, and a cursor to go on. */
const maxRead = 2_000;
const atOnce = 16;
const reportEvery = 160;

/** One page; `next` is the id of the last message looked at. All copies of a message come together. */
export async function searchMail(deps: SearchMailDeps, query: MessageQuery): Promise<MessagePage> {
  const after = query.after !== null && isMessageId(query.after) ? query.after : null;
  const wanted = searchOf(query.q);
  const messages: MarkedSummary[] = [];
  let [found, read] = [0, 0];
  for await (const candidates of chunks(olderThan(candidatesOf(deps, query.mailbox, after), after), atOnce)) {
    const copies = await Promise.all(candidates.map((candidate) => readCopies(deps, candidate, wanted)));
    for (const [n, summaries] of copies.entries()) {
      messages.push(...summaries);
      if (summaries.length > 0) found += 1;
      if (found >= query.limit) return { messages, next: candidates[n]?.id ?? null };
    }
    read += candidates.length;
    if (read % reportEvery === 0) deps.onProgress(`looked at ${read} messages so far`);
    if (read >= maxRead) {
      deps.onProgress(`stopped after ${read} messages: go on with --after`);
      return { messages, next: candidates.at(-1)?.id ?? null };
    }
  }
  return { messages, next: null };
}

function candidatesOf(
  { reader, copies }: SearchMailDeps,
  mailbox: string | null,
  upTo: MessageId | null,
): AsyncGenerator<Candidate> {
  const at = mailbox?.lastIndexOf('@') ?? -1;
  const [localPart, domain] = [mailbox?.slice(0, at) ?? '', mailbox?.slice(at + 1) ?? ''];
  if (localPart !== '') {
    const prefixes = mailFolders.map((folder) => mailboxPrefix(folder, { domain, localPart }));
    return merged(prefixes.map((prefix) => newestKeys(reader, { prefix, upTo })));
  }
  const prefixes = domain === '' ? [''] : mailFolders.map((folder) => domainPrefix(folder, domain));
  return received(newestKeys(reader, { prefix: rawPrefix, upTo }), (id) => copies.byEnvelope(id, prefixes));
}

async function* received(
  rawKeys: AsyncIterable<string>,
  copiesOf: (id: MessageId) => Promise<readonly string[]>,
): AsyncGenerator<Candidate> {
  for await (const key of rawKeys) {
    const id = messageIdOf(key);
    if (id !== null) yield { id, keys: () => copiesOf(id) };
  }
}

/** Several lists, each newest first, as one. */
async function* merged(lists: readonly AsyncGenerator<string>[]): AsyncGenerator<Candidate> {
  const heads = await Promise.all(lists.map(async (list) => ({ list, head: await list.next() })));
  for (;;) {
    const ids = heads.flatMap(({ head }) => (head.done ? [] : [messageIdOf(head.value) ?? '']));
    const newest = ids.toSorted().at(-1);
    if (newest === undefined) return;
    const keys: string[] = [];
    for (const one of heads) {
      if (one.head.done || (messageIdOf(one.head.value) ?? '') !== newest) continue;
      keys.push(one.head.value);
      one.head = await one.list.next();
    }
    if (isMessageId(newest)) yield { id: newest, keys: async () => keys };
  }
}

/** Only what is older than the page before. */
async function* olderThan(candidates: AsyncIterable<Candidate>, after: MessageId | null): AsyncGenerator<Candidate> {
  for await (const candidate of candidates) if (after === null || candidate.id < after) yield candidate;
}

async function readCopies(
  { store }: SearchMailDeps,
  { id, keys }: Candidate,
  wanted: Search,
): Promise<readonly MarkedSummary[]> {
  const copies: MarkedSummary[] = [];
  let marks: Marks | null = null;
  for (const key of await keys()) {
    const message = await inboxMessageRecord.find(store, key);
    if (message === null) continue;
    marks ??= (await marksRecord.find(store, marksRecord.key({ id, receivedAt: receivedAtOf(id) }))) ?? noMarks;
    const { read, tags } = marks;
    const summary = { ...summarise(key, message), read, tags };
    if (matchesSearch(wanted, summary, searchTexts(message))) copies.push(summary);
  }
  return copies;
}

async function* chunks<Item>(items: AsyncIterable<Item>, size: number): AsyncGenerator<readonly Item[]> {
  let chunk: Item[] = [];
  for await (const item of items) {
    chunk.push(item);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
