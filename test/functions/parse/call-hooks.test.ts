// Hooks are told after the JSON is stored: parse queues a job for each that wants the mail, as often as the job is run.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { parse } from '#functions/parse/parse.ts';
import { createParser } from '#functions/parse/worker/parser.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';
import { parseDeps, parseJob } from './parse-job.ts';

const parser = createParser();
after(() => parser.close());

const bytes = Buffer.from('Received: x\r\nFrom: ann@sender.example\r\nSubject: Invoice 7\r\n\r\nhello\r\n');
const hook = (name: string, match: object) => ({ name, match, url: 'https://receiver.example/', secret: 'env:HOOK' });
const hooks = [
  hook('all', {}),
  hook('invoices', { subject: 'Invoice*', from: '*@SENDER.example' }),
  hook('sales', { mailbox: 'sales' }),
  hook('withheld', { folder: 'quarantine' }),
];
const told = (deps: ReturnType<typeof parseDeps>) =>
  deps.jobs.sent.map(({ job, options }) => ['hook' in job && job.hook, options.group]);

test('each hook that fits gets a job in a fair-queue group of its own, also if the JSON was there already', async () => {
  const deps = parseDeps(parser, createMemoryStore(), { hooks });
  const job = parseJob(bytes);
  deps.store.seed(job.raw.key, bytes);
  const wanted = [
    ['all', 'all'],
    ['invoices', 'invoices'],
  ];
  const { written } = await parse(deps, job, { receiveCount: 1 });
  assert.deepEqual(told(deps), wanted);
  assert.deepEqual(
    deps.jobs.of('notify').map(({ key }) => key),
    [written[0], written[0]],
  );
  const { present } = await parse(deps, job, { receiveCount: 2 });
  assert.deepEqual([present, told(deps)], [written, [...wanted, ...wanted]]);
});

test('what is withheld is told only to who wants the quarantine', async () => {
  const deps = parseDeps(parser, createMemoryStore(), { hooks });
  const job = parseJob(bytes, { disposition: { action: 'quarantine', reason: 'DMARC failed' } });
  deps.store.seed(job.raw.key, bytes);
  await parse(deps, job, { receiveCount: 1 });
  assert.deepEqual(told(deps), [['withheld', 'withheld']]);
});

test('a queue that does not take the job fails the run after the JSON is stored: the next run tells', async () => {
  const deps = parseDeps(parser, createMemoryStore(), { hooks });
  const job = parseJob(bytes);
  deps.store.seed(job.raw.key, bytes);
  deps.jobs.fail = new Error('SQS is away');
  await assert.rejects(parse(deps, job, { receiveCount: 1 }), /SQS is away/);
  assert.equal(deps.store.keys('inbox/').length, 1);
  deps.jobs.fail = null;
  await parse(deps, job, { receiveCount: 2 });
  assert.equal(told(deps).length, 2);
});
