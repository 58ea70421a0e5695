// An inbox message as the parse stage would store it, and a world around it for the ops API: store and admin in memory.

import { isMessageId, type MessageId, receivedAtOf } from '#mail/header/message-id.ts';
import type { OpsAdmin } from '#ops/admin.ts';
import { countMailboxes } from '#ops/messages/count-mailboxes.ts';
import { type MarkedSummary, type MessageSummary, summarise } from '#ops/messages/message-summary.ts';
import { matchesSearch, searchOf, searchTexts } from '#ops/messages/search-match.ts';
import { isMarksKey, marksKey, messageIdOf, messageKey } from '#pipeline/contract/keys.ts';
import { type InboxMessage, inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';
import { type Marks, noMarks } from '#pipeline/contract/records/marks.ts';
import { createMemoryStore, type MemoryStore } from '#test/support/fakes/memory-store.ts';

/** A message id for tests. */
export function sampleId(n = 1): MessageId {
  const id = `01KAJ5XQ00000000000000${String(n).padStart(4, '0')}`;
  if (!isMessageId(id)) throw new Error(`not an id: ${id}`);
  return id;
}

/** A whole, valid inbox message; what is given replaces its fields. */
export function sampleMessage(changes: Partial<InboxMessage> = {}): InboxMessage {
  return inboxMessageSchema.parse({
    schema: 'inbox-message/1',
    id: sampleId(),
    receivedAt: '2025-11-21T03:00:00.000Z',
    mailbox: { domain: 'a.example', localPart: 'ann', tag: null },
    envelope: { reversePath: 'bob@b.example', forwardPath: 'ann@a.example' },
    session: {
      role: 'mx',
      clientIp: '192.0.2.7',
      clientName: 'mail.b.example',
      helo: 'mail.b.example',
      tls: null,
      user: null,
    },
    authentication: {
      spf: { result: 'pass', domain: 'b.example', reason: '192.0.2.7 is in its list' },
      dkim: [
        { result: 'pass', domain: 'b.example', selector: 's1', algorithm: 'rsa-sha256', reason: 'signature intact' },
      ],
      dmarc: {
        result: 'pass',
        domain: 'b.example',
        policy: 'reject',
        aligned: { spf: true, dkim: true },
        reason: 'aligned',
      },
      arc: { result: 'none', instances: 0, reason: 'no ARC set' },
      results: 'a.example; spf=pass',
      evidence: [],
    },
    disposition: { action: 'accept', reason: 'DMARC passed' },
    headers: [{ name: 'Subject', raw: 'Subject: Hello', value: 'Hello' }],
    messageId: '<1@b.example>',
    date: '2025-11-21T02:59:00.000Z',
    subject: 'Hello',
    from: [{ name: 'Bob', address: 'bob@b.example', group: null }],
    to: [{ name: '', address: 'ann@a.example', group: null }],
    cc: [],
    replyTo: [],
    inReplyTo: null,
    references: [],
    text: 'Good morning, Ann.\n',
    html: null,
    attachments: [],
    raw: { key: `raw/2025/11/21/03/${sampleId()}.eml`, bytes: 20, sha256: '0'.repeat(64) },
    problems: [],
    ...changes,
  });
}

export type SampleWorld = {
  readonly store: MemoryStore;
  readonly admin: OpsAdmin;
  /** Stores an inbox message and its raw bytes, and tells who watches. */
  readonly addMessage: (message: InboxMessage, raw?: string) => string;
  readonly calls: string[];
  /** Ids of messages that have a job on a queue. */
  readonly busy: Set<string>;
};

const placeOf = (key: string): string => `${messageIdOf(key)} ${key}`;

/** A world in memory that lists mail as the real ones do: by id, then key, newest first. */
export function sampleWorld(): SampleWorld {
  const store: { -readonly [Name in keyof MemoryStore]: MemoryStore[Name] } = createMemoryStore();
  const watchers = new Set<(key: string) => void>();
  const deletionWatchers = new Set<(key: string) => void>();
  const busy = new Set<string>();
  const calls: string[] = [];
  const rows: { readonly key: string; readonly message: InboxMessage; readonly summary: MessageSummary }[] = [];
  const marksOf = (id: string): Marks => {
    const key = isMessageId(id) ? marksKey({ id, receivedAt: receivedAtOf(id) }) : '';
    return store.has(key) ? store.json(key) : noMarks;
  };
  const marked = (summary: MessageSummary): MarkedSummary => {
    const { read, tags } = marksOf(summary.id);
    return { ...summary, read, tags };
  };
  const admin: OpsAdmin = {
    queues: async () => [
      { name: 'received', ready: 1, delayed: 0, inFlight: 0, dead: 2, oldestSeconds: 3, faults: [] },
    ],
    heldJobs: async () => [],
    redrive: async (queue) => calls.push(`redrive ${queue}`),
    purge: async (queue) => calls.push(`purge ${queue}`),
    deadLetters: async (queue) => [
      {
        queue,
        id: sampleId(9),
        body: '{}',
        reason: 'disk on fire',
        receiveCount: 5,
        diedAt: '2025-11-21T03:09:00.000Z',
      },
    ],
    messages: async ({ mailbox, q, limit, after }) => {
      const found = rows
        .filter(({ summary }) => mailbox === null || summary.mailbox.endsWith(mailbox))
        .filter(({ message, summary }) => matchesSearch(searchOf(q), marked(summary), searchTexts(message)))
        .sort((a, b) => (placeOf(a.key) < placeOf(b.key) ? 1 : -1));
      const start = after === null ? 0 : found.filter(({ key }) => placeOf(key) >= placeOf(after)).length;
      const page = found.slice(start, start + limit);
      const next = start + limit < found.length ? (page.at(-1)?.key ?? null) : null;
      return { messages: page.map(({ summary }) => marked(summary)), next };
    },
    findMessage: async (id) =>
      rows
        .filter(({ summary }) => summary.id === id)
        .map(({ key }) => key)
        .sort(),
    deliveryKeys: async ({ id, limit, after }) => {
      const keys = store
        .keys('deliveries/')
        .filter((key) => id === null || key.includes(`/${id}/`))
        .toReversed();
      const start = after === null ? 0 : keys.indexOf(after) + 1;
      const page = keys.slice(start, start + limit);
      return { keys: page, next: start + limit < keys.length ? (page.at(-1) ?? null) : null };
    },
    underWay: async (ids) => ids.filter((id) => busy.has(id)),
    summary: async (key) => {
      const row = rows.find((one) => one.key === key);
      return row === undefined ? null : marked(row.summary);
    },
    oldest: async (mailbox, limit) =>
      rows
        .filter(({ summary }) => summary.mailbox === mailbox)
        .map(({ message }) => message.id)
        .filter(isMessageId)
        .sort()
        .slice(0, limit),
    mailboxes: async () => {
      const ids = [...new Set(rows.map(({ message }) => message.id))];
      return countMailboxes(
        rows.map(({ key }) => key),
        new Map(ids.map((id) => [id, marksOf(id)])),
      );
    },
    watch: (listener) => {
      watchers.add(listener);
      return () => watchers.delete(listener);
    },
    watchDeleted: (listener) => {
      deletionWatchers.add(listener);
      return () => deletionWatchers.delete(listener);
    },
  };
  const write = store.put;
  store.put = async (request) => {
    const outcome = await write(request);
    if (isMarksKey(request.key)) for (const watcher of watchers) watcher(request.key);
    return outcome;
  };
  const drop = store.delete;
  store.delete = async (key, condition) => {
    const outcome = await drop(key, condition);
    const at = rows.findIndex((row) => row.key === key);
    if (outcome === 'deleted' && at >= 0) {
      rows.splice(at, 1);
      for (const watcher of deletionWatchers) watcher(key);
    }
    return outcome;
  };
  const addMessage = (message: InboxMessage, raw = 'Subject: Hello\r\n\r\nHi\r\n'): string => {
    const folder = message.disposition.action === 'accept' ? 'inbox' : 'quarantine';
    const id = message.id;
    if (!isMessageId(id)) throw new Error('not an id');
    const key = messageKey(folder, { ...message.mailbox, id, receivedAt: message.receivedAt });
    store.seed(key, JSON.stringify(message));
    store.seed(message.raw.key, raw);
    rows.push({ key, message, summary: summarise(key, message) });
    for (const watcher of watchers) watcher(key);
    return key;
  };
  return { store, admin, addMessage, calls, busy };
}
