// The list of mail over worlds that page by row: a message with several copies is one entry, whole, on one page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MailAdmin } from '#ops/admin.ts';
import { createOpsApp } from '#ops/api/ops-app.ts';
import { listMessages } from '#ops/messages/list-messages.ts';
import type { MarkedSummary } from '#ops/messages/message-summary.ts';

function summary(id: string, localPart: string): MarkedSummary {
  return {
    id,
    key: `inbox/ours.example/${localPart}/2026/11/21/${id}.json`,
    receivedAt: '2026-11-21T12:00:00.000Z',
    mailbox: `${localPart}@ours.example`,
    tag: null,
    action: 'accept',
    from: null,
    to: [],
    subject: null,
    preview: '',
    bytes: 1,
    attachments: 0,
    problems: 0,
    spf: 'none',
    dkim: 'none',
    dmarc: 'none',
    read: false,
    tags: [],
  };
}

/** A world that pages by row, as the embedded one does: `after` is the last row's key. */
function rowsAdmin(rows: readonly MarkedSummary[]): MailAdmin {
  const unused = (): never => assert.fail('not asked here');
  return {
    queues: unused,
    redrive: unused,
    purge: unused,
    deadLetters: unused,
    heldJobs: unused,
    underWay: unused,
    findMessage: unused,
    deliveryKeys: unused,
    messages: async ({ limit, after }) => {
      const start = after === null ? 0 : rows.findIndex(({ key }) => key === after) + 1;
      const messages = rows.slice(start, start + limit);
      return { messages, next: start + limit < rows.length ? (messages.at(-1)?.key ?? null) : null };
    },
  };
}

type Page = { messages: { id: string; mailboxes: string[] }[]; next: string | null };

async function pages(admin: MailAdmin, limit: number): Promise<Page[]> {
  const app = createOpsApp({ admin, clock: () => 0 }, [{ at: 'GET /api/messages', does: listMessages }]);
  const found: Page[] = [];
  let after: string | null = null;
  do {
    const query = new URLSearchParams({ limit: String(limit), ...(after === null ? {} : { after }) });
    const { status, body } = await app({ method: 'GET', url: `/api/messages?${query}` });
    assert.equal(status, 200, String(body));
    const page: Page = JSON.parse(String(body));
    found.push(page);
    after = page.next;
  } while (after !== null);
  return found;
}

const copies = (id: string, count: number) => Array.from({ length: count }, (_, n) => summary(id, `box-${n}`));
const ids = ['C', 'B', 'A'].map((letter) => `01KAJZ3M8R000000000000000${letter}`);

for (const [limit, count] of [
  [1, 3],
  [2, 3],
  [1, 50],
  [3, 1],
  [2, 1],
] as const) {
  test(`in pages of ${limit}, messages with ${count} copies are listed once each, with all their mailboxes`, async () => {
    const found = await pages(rowsAdmin(ids.flatMap((id) => copies(id, count))), limit);
    const listed = found.flatMap(({ messages }) => messages);
    assert.deepEqual(
      listed.map(({ id, mailboxes }) => [id, mailboxes.length]),
      ids.map((id) => [id, count]),
    );
    assert.ok(found.slice(0, -1).every(({ messages }) => messages.length === limit));
    assert.ok(found.length <= Math.ceil(ids.length / limit));
  });
}

test('the longest address does not make a cursor that is too long', async () => {
  const local = encodeURIComponent('ü'.repeat(32));
  const domain = Array.from({ length: 4 }, () => 'x'.repeat(61)).join('.');
  const rows = ids.map((id) => ({ ...summary(id, local), key: `inbox/${domain}/${local}/2026/11/21/${id}.json` }));
  assert.equal((await pages(rowsAdmin(rows), 1)).length, 3);
});

test('a search that finds one message in a long time answers with what it has, and where to go on', async () => {
  const admin = rowsAdmin(ids.flatMap((id) => copies(id, 1)));
  const slow = {
    ...admin,
    messages: (query: Parameters<typeof admin.messages>[0]) => admin.messages({ ...query, limit: 1 }),
  };
  const seconds = [0, 4_000, 8_000];
  const app = createOpsApp({ admin: slow, clock: () => seconds.shift() ?? 0 }, [
    { at: 'GET /api/messages', does: listMessages },
  ]);
  const { body } = await app({ method: 'GET', url: '/api/messages?limit=3&q=x' });
  const { messages, next }: Page = JSON.parse(String(body));
  assert.deepEqual([messages.length, next === null], [2, false]);
});
