// How long lists, searches and counts take with 200,000 messages stored: an embedded store is filled and indexed, then each is asked
// several times: the first page of 50.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, shown } from '#bench/figures/statistics.ts';
import type { Row } from '#bench/figures/table.ts';
import { type EmbeddedWorld, openEmbedded } from '#local/embedded/open-embedded.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import { messageKey } from '#pipeline/contract/keys.ts';
import { sampleStoredMessage } from './stored-messages.ts';

const rounds = 5;
const page = { mailbox: null, q: null, limit: 50, after: null } as const;
const targetMs = 100;

/** What people look for: common and rare words, parts of words, fields, what is nowhere. */
const searches = [
  'invoice',
  'zebra7',
  'voic',
  'meeting invoice customer',
  'nowhere-to-be-found',
  'ing the',
  'from:person7@',
  'subject:"invoice 1234"',
  'header:X-Campaign=spring-77',
  'is:unread',
  'is:read larger:1m',
  'has:attachment verdict:fail',
  'invoice -customer is:read',
  'mailbox:box3 invoice',
  'tag:todo',
  'before:2020-01-01',
  'ab',
] as const;

/** Fills a store with so many messages, and measures. */
export async function measureList(messages = 200_000): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'pillarbox-list-'));
  const world = await openEmbedded({ folder, clock: Date.now });
  try {
    await fill(world, messages);
    const times: [string, number][] = [];
    const take = async (what: string, ask: () => Promise<unknown>): Promise<void> => {
      times.push([what, await medianMs(ask)]);
    };
    await take('the list', () => world.admin.messages(page));
    await take('the list of a mailbox', () => world.admin.messages({ ...page, mailbox: 'box3@bench.example' }));
    await take('the counts', () => world.admin.mailboxes());
    for (const q of searches) await take(q, () => world.admin.messages({ ...page, q }));
    return times.map(([what, ms]) => rowOf(messages, what, ms));
  } finally {
    await world.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function fill(world: EmbeddedWorld, messages: number): Promise<void> {
  const nextId = messageIdFactory();
  const start = Date.now() - messages * 10;
  for (let n = 0; n < messages; n += 500) {
    await Promise.all(
      Array.from({ length: Math.min(500, messages - n) }, (_, at) => {
        const id = nextId(start + (n + at) * 10);
        const message = sampleStoredMessage(n + at, id);
        const key = messageKey('inbox', { ...message.mailbox, id, receivedAt: message.receivedAt });
        return world.store.put({ key, body: Buffer.from(JSON.stringify(message)), contentType: 'application/json' });
      }),
    );
  }
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  while ((await world.statistics()).mailToIndex > 0) await new Promise((resolve) => setTimeout(resolve, 500));
}

async function medianMs(ask: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < rounds; n++) {
    const start = performance.now();
    await ask();
    times.push(performance.now() - start);
  }
  return median(times);
}

function rowOf(messages: number, what: string, ms: number): Row {
  const value = `${shown(ms)} ms`;
  return {
    what: `list: ${what}`,
    value,
    beside: `${messages} messages stored`,
    ratio: ms,
    target: { atMost: targetMs },
  };
}
