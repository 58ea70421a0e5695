import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPollingSqsClient, createSqsClient } from '#pipeline/aws/clients.ts';
import { createDeadLetters } from '#pipeline/aws/dead-letters.ts';
import { createDeadLetterMover } from '#pipeline/aws/sqs-receiver.ts';
import { type ScriptedAnswer, scriptedAws } from '#test/support/aws/scripted-aws.ts';

const queue = { url: 'received', deadUrl: 'received-dead' };
const json = (body: unknown, status = 200): ScriptedAnswer => ({
  status,
  headers: { 'content-type': 'application/x-amz-json-1.0' },
  body: JSON.stringify(body),
});

/** SQS whose move task answers these, one after the other. */
async function movingSqs(tasks: readonly unknown[]) {
  let asked = 0;
  const { place, seen } = await scriptedAws(({ headers, body }) => {
    const operation = String(headers['x-amz-target']).split('.')[1];
    const { QueueUrl } = JSON.parse(body.toString());
    if (operation === 'GetQueueAttributes')
      return json({ Attributes: { QueueArn: `arn:aws:sqs:r:1:${QueueUrl.split('/').at(-1)}` } });
    if (operation === 'StartMessageMoveTask') return json({ TaskHandle: 'h' });
    if (operation === 'ListMessageMoveTasks') return json({ Results: [tasks[Math.min(asked++, tasks.length - 1)]] });
    return json({ __type: 'com.amazonaws.sqs#InvalidAction', message: operation }, 400);
  });
  const told: string[] = [];
  const sqs = createPollingSqsClient(place);
  const deadLetters = createDeadLetters({ sqs, region: place.region, tell: (sentence) => told.push(sentence) });
  const pair = { url: `${place.endpoint}/1/${queue.url}`, deadUrl: `${place.endpoint}/1/${queue.deadUrl}` };
  return { deadLetters, pair, told, seen };
}

test('SQS moves dead letters by itself, and how far it is is told', async () => {
  const { deadLetters, pair, told, seen } = await movingSqs([
    { Status: 'RUNNING', ApproximateNumberOfMessagesMoved: 3, ApproximateNumberOfMessagesToMove: 9 },
    { Status: 'COMPLETED', ApproximateNumberOfMessagesMoved: 9 },
  ]);
  assert.equal(await deadLetters.redrive(pair), 9);
  assert.deepEqual(told, ['3 of 9 moved']);
  const start = seen.find(({ headers }) => String(headers['x-amz-target']).endsWith('StartMessageMoveTask'));
  assert.deepEqual(JSON.parse(start!.body.toString()), {
    SourceArn: 'arn:aws:sqs:r:1:received-dead',
    DestinationArn: 'arn:aws:sqs:r:1:received',
  });
});

test('a move that SQS stopped is an error with its reason', async () => {
  const { deadLetters, pair } = await movingSqs([
    { Status: 'FAILED', ApproximateNumberOfMessagesMoved: 2, FailureReason: 'AccessDenied' },
  ]);
  await assert.rejects(deadLetters.redrive(pair), /stopped after 2: AccessDenied/);
});

test('a dead letter leaves behind how often it was handed out: after a redrive it is counted anew', async () => {
  const { place, seen } = await scriptedAws(() => json({ MessageId: 'm' }));
  const move = createDeadLetterMover(createSqsClient(place), { parse: `${place.endpoint}/1/parse` });
  const messageAttributes = { 'handed-out': { stringValue: '7' }, group: { stringValue: 'slow-lane' } };
  await move('parse', { body: '{}', messageAttributes, attributes: {} }, { reason: 'a bug', handOuts: 8 });
  const { QueueUrl, MessageAttributes } = JSON.parse(seen[0]!.body.toString());
  assert.match(QueueUrl, /\/parse-dead$/);
  assert.deepEqual(Object.keys(MessageAttributes).sort(), ['dead-after', 'dead-reason', 'group']);
});
