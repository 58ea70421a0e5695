// Hooks that are programs: what they are called with, and what follows from how they end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMail } from '#consume/read-mail.ts';
import { callProgram } from '#functions/notify/call-program.ts';
import { judgeModule, type ModuleAnswer, type Programs } from '#functions/notify/judge-program.ts';
import { standIns } from '#functions/notify/lambda-event.ts';
import { configSchema } from '#pipeline/config/config.ts';
import type { NotifyJob } from '#pipeline/contract/jobs.ts';
import { mailEventSchema } from '#pipeline/contract/mail-event.ts';
import { sampleMessage } from '#test/support/samples/sample-message.ts';

const message = sampleMessage();
const job: NotifyJob = {
  version: 1,
  id: message.id as NotifyJob['id'],
  key: 'inbox/receiver.example/support/2026/11/21/1.json',
  hook: 'tickets',
  createdAt: '2026-11-21T12:00:00.000Z',
  attempt: 3,
  lastReason: null,
};
const secrets = { read: async (reference: string) => `text of ${reference}` };

/** Tells a hook of the sample message; the calls that were made. */
async function callsOf(given: object, over: Partial<NotifyJob> = {}, answer: ModuleAnswer = answered(undefined)) {
  const calls: any[] = [];
  const programs: Programs = {
    runCommand: async (call) => {
      calls.push(call);
      return { kind: 'ended', code: 0, signal: null, output: 'done\n' };
    },
    callModule: async (call) => {
      calls.push(call);
      return answer;
    },
  };
  const [hook = assert.fail()] = configSchema.parse({ hooks: [{ name: 'tickets', ...given }] }).hooks;
  const json = Buffer.from(JSON.stringify(message));
  const deps = { programs, secrets, clock: () => Date.parse('2026-11-21T12:06:00Z') };
  const judged = await callProgram(deps, { ...job, ...over }, { hook, json });
  return { judged, calls };
}

function answered(answer: unknown): ModuleAnswer {
  return { kind: 'answered', answer, output: '' };
}

test('a module gets what Lambda gets from the queue of a MailRule: EventBridge’s event in the one record of an SQSEvent', async () => {
  const { judged, calls } = await callsOf({ module: 'ticket.js' });
  assert.deepEqual(judged, { outcome: 'told', said: '', answered: null });
  const event = JSON.parse(String(calls[0].input));
  const [record] = event.Records;
  assert.deepEqual([record.eventSource, record.attributes.ApproximateReceiveCount], ['aws:sqs', '3']);
  const { source, detail, time } = JSON.parse(record.body);
  assert.deepEqual([source, time], ['pillarbox', `${message.receivedAt.slice(0, 19)}Z`]);
  assert.deepEqual([mailEventSchema.parse(detail).key, detail.bucket], [job.key, standIns.bucket]);
  const read: object[] = [];
  const getObject = async (object: object) => {
    read.push(object);
    return { Body: { transformToByteArray: async () => Buffer.from(JSON.stringify(message)) } };
  };
  const [mail] = await readMail(event, { s3: { getObject } });
  assert.equal(mail?.subject, message.subject);
  assert.deepEqual(read, [{ Bucket: standIns.bucket, Key: job.key }]);
});

test('the messageId of the record is the same for each attempt, and another for a replay', async () => {
  const idOf = async (over: Partial<NotifyJob>) => {
    const { calls } = await callsOf({ module: 'ticket.js' }, over);
    return JSON.parse(String(calls[0].input)).Records[0].messageId;
  };
  const [first, again, replayed] = [
    await idOf({ attempt: 1 }),
    await idOf({ attempt: 2 }),
    await idOf({ createdAt: '2026-11-22T12:00:00.000Z' }),
  ];
  assert.match(first, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.equal(first, again);
  assert.notEqual(first, replayed);
});

test('a command gets the JSON of a webhook', async () => {
  const { judged, calls } = await callsOf({ command: ['cat'], timeoutSeconds: 5 });
  assert.deepEqual(judged, { outcome: 'told', said: 'done', answered: null });
  assert.deepEqual([calls[0].argv, calls[0].timeoutMs], [['cat'], 5_000]);
  assert.equal((await readMail(JSON.parse(String(calls[0].input))))[0]?.subject, message.subject);
});

test('variables are what the hook says, and references what they lead to', async () => {
  const { calls } = await callsOf({ module: 'a.js', environment: { TABLE: 'tickets', TOKEN: 'env:TICKETS_TOKEN' } });
  assert.deepEqual(calls[0].variables, { TABLE: 'tickets', TOKEN: 'text of env:TICKETS_TOKEN' });
});

test('where no programs are run the reason says so', async () => {
  const [hook = assert.fail()] = configSchema.parse({ hooks: [{ name: 'a', module: 'a.js' }] }).hooks;
  const judged = await callProgram({ programs: null, secrets, clock: Date.now }, job, { hook, json: Buffer.of() });
  assert.match(judged.outcome === 'failed' ? judged.reason : '', /on one machine only/);
});

const judgements: readonly (readonly [string, ModuleAnswer, RegExp])[] = [
  ['answers nothing', answered(undefined), /^told$/],
  ['answers null', answered(null), /^told$/],
  ['answers an object of its own', answered({ statusCode: 200 }), /^told$/],
  ['answers no failures', answered({ batchItemFailures: [] }), /^told$/],
  ['answers null for failures', answered({ batchItemFailures: null }), /^told$/],
  [
    'answers its record',
    answered({ batchItemFailures: [{ itemIdentifier: 'id' }] }),
    /it answered that the record failed/,
  ],
  ['answers a wrong identifier', answered({ batchItemFailures: [{ itemIdentifier: '' }] }), /the record failed/],
  ['answers a text', answered('done'), /neither nothing nor an object/],
  ['throws', { kind: 'threw', error: 'TypeError: no\n  at a.js:1' }, /^it threw TypeError: no at a\.js:1$/],
  [
    'ends early',
    { kind: 'ended', code: 0, signal: null, output: 'x' },
    /^it ended with exit code 0 before its handler was done: x$/,
  ],
  ['is late', { kind: 'failed', reason: 'it was not done within 1 s' }, /^it was not done within 1 s$/],
];
for (const [title, answer, says] of judgements) {
  test(`of a module that ${title} Lambda would think the same`, () => {
    const judged = judgeModule(answer);
    assert.match(judged.outcome === 'failed' ? judged.reason : judged.outcome, says);
  });
}
