// Consumers are told of what is stored, at least once.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { parse } from '#functions/parse/parse.ts';
import { createParser } from '#functions/parse/worker/parser.ts';
import type { ParseJob } from '#pipeline/contract/jobs.ts';
import type { MailEvent } from '#pipeline/contract/mail-event.ts';
import { parseDeps, parseJob } from './parse-job.ts';

const parser = createParser({ workers: 1 });
after(() => parser.close());

const bytes = Buffer.from('From: Ann <ann@sender.example>\r\nSubject: bells\r\n\r\ntext\r\n');
const recipient = (localPart: string) => ({
  forwardPath: `${localPart}@example.test`,
  dsn: { notify: null, orcpt: null },
  mailbox: { domain: 'example.test', localPart, tag: null },
});

test('each recipient’s message is announced after its JSON is stored', async () => {
  const job = parseJob(bytes, { recipients: [recipient('support'), recipient('sales')] });
  const told: MailEvent[] = [];
  const deps = depsFor(job);
  const announce = async (event: MailEvent) => {
    assert.notEqual(await deps.store.get(event.key), null);
    told.push(event);
  };
  const { written } = await parse({ ...deps, announce }, job, { receiveCount: 1 });
  assert.deepEqual(told.map(({ key }) => key).sort(), [...written].sort());
  assert.deepEqual([told[0]?.subject, told[0]?.from, told[0]?.folder], ['bells', ['ann@sender.example'], 'inbox']);
});

test('if it cannot be announced the job fails, and its next run announces what the first had stored', async () => {
  const job = parseJob(bytes, { recipients: [recipient('support')] });
  const deps = depsFor(job);
  const refuse = () => Promise.reject(new Error('EventBridge is away'));
  await assert.rejects(parse({ ...deps, announce: refuse }, job, { receiveCount: 1 }), /EventBridge is away/);
  const told: string[] = [];
  const announce = async ({ key }: MailEvent) => void told.push(key);
  const { written, present } = await parse({ ...deps, announce }, job, { receiveCount: 2 });
  assert.deepEqual([written, present], [[], told]);
  assert.equal(told.length, 1);
});

function depsFor({ raw }: ParseJob) {
  const deps = parseDeps(parser);
  deps.store.seed(raw.key, bytes);
  return deps;
}
