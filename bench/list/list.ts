// How long lists, searches and counts take with 200,000 messages stored, as whoever uses the API has them: an embedded store is filled
// and indexed, the service is started over it, and each question is asked several times over HTTP, for the first page of 50.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, shown } from '#bench/figures/statistics.ts';
import type { Row } from '#bench/figures/table.ts';
import { startService } from '#bench/load/start-service.ts';
import { fillStore } from './fill-store.ts';

const rounds = 5;
const targetMs = 100;
/** What nearly every message has must not be so: all of the index is gone through. */
const throughAllMs = 300;
const throughAll: readonly string[] = ['-invoice', '-invoice -the', '-ab'];

/** What people look for: common and rare words, parts of words, each field, what is not so, what is nowhere. */
export const searches = [
  'invoice',
  'zebra7',
  'voic',
  'meeting invoice customer',
  '"meeting the"',
  '"the customer nowhere"',
  'nowhere-to-be-found',
  'ing the',
  'the of to and is',
  'from:person7@',
  'to:box3@',
  'subject:"invoice 1234"',
  'subject:nowhere-to-be-found',
  'header:X-Campaign=spring-77',
  'header:X-Campaign',
  'header:List-Id',
  '-header:List-Id',
  'id:01',
  'is:unread',
  'is:read',
  'is:read larger:1m',
  'is:quarantined',
  'has:attachment',
  'has:attachment verdict:fail',
  'verdict:pass invoice',
  'larger:1m',
  'smaller:1k',
  'before:2020-01-01',
  'after:2020-01-01 zebra7',
  'mailbox:box3',
  'mailbox:box3 invoice',
  'mailbox:box3 nowhere-to-be-found',
  'tag:todo',
  '-tag:todo invoice',
  '-invoice',
  '-invoice -the',
  'invoice -customer is:read',
  'ab',
  'zq',
  '-ab',
  'e',
  'zq invoice',
  'from:p',
  'subject:zq',
] as const;

/** Fills a store with so many messages, and measures. */
export async function measureList(messages = 200_000): Promise<readonly Row[]> {
  const data = await mkdtemp(join(tmpdir(), 'pillarbox-list-'));
  try {
    await fillStore(data, messages);
    const service = await startService('embedded', {}, { data });
    const rows = await measureAnswers(service.api);
    await service.stop();
    return rows.map((row) => ({ ...row, beside: `${messages} messages stored` }));
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}

/** Asks a service whose store is filled: one row a question, the median of five answers in milliseconds. */
export async function measureAnswers(api: string): Promise<readonly Row[]> {
  const questions: readonly (readonly [string, string])[] = [
    ['the list', '/api/messages?limit=50'],
    ['the list of a mailbox', '/api/messages?limit=50&mailbox=box3@bench.example'],
    ['the list of a domain', '/api/messages?limit=50&mailbox=@bench.example'],
    ['the counts', '/api/mailboxes'],
    ...searches.map((q) => [q, `/api/messages?limit=50&q=${encodeURIComponent(q)}`] as const),
  ];
  const rows: Row[] = [];
  for (const [what, path] of questions) {
    const ms = await medianMs(`${api}${path}`);
    const row = { what: `list: ${what}`, value: `${shown(ms)} ms`, beside: '', ratio: ms };
    rows.push({ ...row, target: { atMost: throughAll.includes(what) ? throughAllMs : targetMs } });
  }
  return rows;
}

async function medianMs(url: string): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < rounds; n++) {
    const start = performance.now();
    const answer = await fetch(url);
    await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`${url} was answered ${answer.status}`);
    times.push(performance.now() - start);
  }
  return median(times);
}
