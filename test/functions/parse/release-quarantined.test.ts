// A message that a person takes out of quarantine: written to the inbox, told of once, gone from quarantine, whatever happens in between.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { parse } from '#functions/parse/parse.ts';
import { createParser } from '#functions/parse/worker/parser.ts';
import type { ParseJob } from '#pipeline/contract/jobs.ts';
import type { MailEvent } from '#pipeline/contract/mail-event.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';
import { parseDeps, parseJob } from './parse-job.ts';

const parser = createParser({ workers: 1 });
after(() => parser.close());

const bytes = Buffer.from('From: Ann <ann@sender.example>\r\nSubject: bells\r\n\r\ntext\r\n');
const withheld = { action: 'quarantine', reason: 'DMARC fails' } as const;
const released = { at: '2026-11-22T08:00:00.000Z', by: '127.0.0.1' };
const recipients = ['support', 'sales'].map((localPart) => ({
  forwardPath: `${localPart}@example.test`,
  dsn: { notify: null, orcpt: null },
  mailbox: { domain: 'example.test', localPart, tag: null },
}));
const keyOf = (folder: string, localPart: string, { id }: ParseJob) =>
  `${folder}/example.test/${localPart}/2026/11/21/${id}.json`;

/** Both mailboxes have it in quarantine; `now` moves on as a test says. */
async function world() {
  let now = Date.parse('2026-11-22T08:00:01.000Z');
  const store = createMemoryStore(() => now);
  const told: MailEvent[] = [];
  const deps = { ...parseDeps(parser, store), clock: () => now };
  const announce = async (event: MailEvent) => void told.push(event);
  const quarantined = parseJob(bytes, { recipients, disposition: withheld });
  const job = { ...quarantined, disposition: { ...withheld, action: 'accept' as const, released } };
  store.seed(job.raw.key, bytes);
  await parse(deps, quarantined, { receiveCount: 1 });
  const run = (over: Partial<typeof deps> & { announce?: typeof announce } = {}, receiveCount = 1) =>
    parse({ ...deps, announce, ...over }, job, { receiveCount });
  const stored = (folder: string) => store.keys(`${folder}/`);
  const pass = (ms: number): void => {
    now += ms;
  };
  return { store, told, job, quarantined, deps, run, stored, pass };
}

test('it goes to the inbox of each mailbox with why it was withheld, and who released it when; then quarantine has it no more', async () => {
  const { store, told, job, run, stored } = await world();
  const before = store.json(keyOf('quarantine', 'support', job));
  const { written } = await run();
  assert.deepEqual([...written].sort(), stored('inbox'));
  assert.deepEqual(stored('quarantine'), []);
  const { disposition, ...message } = store.json(keyOf('inbox', 'support', job));
  assert.deepEqual(disposition, { action: 'accept', reason: 'DMARC fails', released });
  assert.deepEqual({ ...message, disposition: withheld }, before, 'all else is as it was');
  assert.deepEqual(told.map(({ folder, mailbox }) => `${folder} ${mailbox}`).sort(), ['inbox sales', 'inbox support']);
});

test('its job again does nothing, also at the same time', async () => {
  const { told, run, stored } = await world();
  await Promise.all([run(), run()]);
  await run();
  await run({}, 2);
  assert.deepEqual([stored('inbox').length, stored('quarantine').length, told.length], [2, 0, 2]);
});

test('a run that ends before it has told leaves it in both, and the next one tells and clears up', async () => {
  const { told, run, stored } = await world();
  await assert.rejects(
    run({ announce: () => Promise.reject(new Error('EventBridge is away')) }),
    /EventBridge is away/,
  );
  assert.deepEqual([stored('inbox').length, stored('quarantine').length], [2, 2]);
  await run();
  assert.deepEqual(
    [told.length, stored('quarantine').length],
    [0, 2],
    'another job leaves that to the one that wrote it',
  );
  await run({}, 2);
  assert.deepEqual([told.length, stored('quarantine').length], [2, 0]);
});

test('if that job never comes again, asking again later does it', async () => {
  const { told, run, stored, pass } = await world();
  await assert.rejects(run({ announce: () => Promise.reject(new Error('away')) }), /away/);
  pass(121_000);
  await run();
  assert.deepEqual([told.length, stored('quarantine').length], [2, 0]);
});

test('a run that ends before the quarantine object is deleted is done again', async () => {
  const { store, run, stored } = await world();
  const failing = { ...store, delete: () => Promise.reject(new Error('S3 is away')) };
  await assert.rejects(run({ store: failing }), /S3 is away/);
  assert.deepEqual([stored('inbox').length, stored('quarantine').length], [2, 2]);
  await run({}, 2);
  assert.deepEqual([stored('inbox').length, stored('quarantine').length], [2, 0]);
});

test('a copy that was deleted meanwhile does not come back', async () => {
  const { store, told, job, run, stored } = await world();
  await store.delete(keyOf('quarantine', 'sales', job));
  await run();
  assert.deepEqual([stored('inbox'), told.length], [[keyOf('inbox', 'support', job)], 1]);
});

test('nor does one that is deleted while the message is read', async () => {
  const { store, told, job, run, stored } = await world();
  const parseSlowly: typeof parser.parse = async (request) => {
    const read = await parser.parse(request);
    await store.delete(keyOf('quarantine', 'sales', job));
    return read;
  };
  await run({ parser: { parse: parseSlowly } });
  assert.deepEqual([stored('inbox'), told.length], [[keyOf('inbox', 'support', job)], 1]);
});

test('a replay that judges it as before does not put it into quarantine again', async () => {
  const { store, job, quarantined, deps, run, stored } = await world();
  await run();
  await parse(deps, quarantined, { receiveCount: 1 });
  assert.deepEqual(stored('quarantine'), []);
  await store.delete(keyOf('inbox', 'sales', job));
  await parse(deps, quarantined, { receiveCount: 1 });
  assert.deepEqual(stored('quarantine'), [keyOf('quarantine', 'sales', job)], 'only what is missing is made');
});
