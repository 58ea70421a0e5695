// A consumer of mail that throws, with AWS's timing: the queues of a MailRule's template, Lambda's poller, and a clock that is set ahead.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Code, Runtime, Function as ServerlessFunction } from 'aws-cdk-lib/aws-lambda';
import { MailRule } from '#cdk/mail-rule.ts';
import { startEmulator } from '#local/emulator/emulator.ts';
import { createFunction } from '#local/emulator/lambda-function.ts';
import { pollQueue } from '#local/emulator/poll-queue.ts';
import { createWorldTime } from '#local/emulator/world-time.ts';
import { createPollingSqsClient } from '#pipeline/aws/clients.ts';
import { createDeadLetters } from '#pipeline/aws/dead-letters.ts';
import { createSqsReceiver } from '#pipeline/aws/sqs-receiver.ts';
import { createAlarmWatch } from '#test/support/aws/alarm-state.ts';
import { passTime } from '#test/support/aws/pass-time.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { resourcesOf } from './synthesize.ts';

const name = 'events';
/** An event of EventBridge, and what S3 says by itself of an object: both come through a queue. */
const bodies = ['{"detail-type":"Mail stored","detail":{}}', '{"Records":[{"eventSource":"aws:s3"}]}'];

test('a consumer that throws for five minutes is told two minutes later at most, and of everything once', async (t) => {
  const world = await startConsumer(t, { timeoutSeconds: 3, throwsForSeconds: 300 });
  await world.send();
  const seconds = await passTime(world.time, 'all were taken', async () => {
    await world.sample();
    return world.taken.length >= bodies.length;
  });
  assert.ok(world.hasRisen('Waiting'));
  t.diagnostic(`told ${(seconds - 300).toFixed(0)} s after it was mended`);
  assert.ok(seconds >= 300 && seconds <= 300 + 130, `${seconds} s`);
  assert.deepEqual([...world.taken].sort(), [...bodies].sort());
  assert.equal((await world.counts()).dead, 0);
});

test('a consumer that throws for a day: two alarms rise, its events are dead letters, and a redrive tells them once it is mended', async (t) => {
  const world = await startConsumer(t, { timeoutSeconds: 900, throwsForSeconds: 100_000 });
  await world.send();
  await passTime(world.time, 'all are dead', async () => (await world.sample()).dead === bodies.length, 100_000);
  assert.deepEqual(world.taken, []);
  assert.deepEqual([world.hasRisen('GivenUp'), world.hasRisen('Waiting')], [true, true]);
  await world.time.setAhead(100_001_000);
  assert.equal(await world.redrive(), bodies.length);
  await passTime(world.time, 'all were taken', () => world.taken.length >= bodies.length);
  assert.deepEqual([...world.taken].sort(), [...bodies].sort());
});

/** The queues of a rule with such a function, which throws for a while from now on. */
async function startConsumer(
  t: TestContext,
  { timeoutSeconds, throwsForSeconds }: { readonly timeoutSeconds: number; readonly throwsForSeconds: number },
) {
  const { queue, alarms } = synthesizeRule(timeoutSeconds);
  const folder = await mkdtemp(join(tmpdir(), 'pillarbox-consumer-'));
  const visibilitySeconds: number = queue.VisibilityTimeout;
  const others = [{ name, visibilitySeconds, maxReceives: queue.RedrivePolicy.maxReceiveCount }];
  const emulator = await startEmulator({ folder: join(folder, 'emulator'), onChange: () => {}, others });
  const file = join(folder, 'index.mjs');
  await writeFile(file, handlerText(Date.now() + throwsForSeconds * 1_000));
  const taken: string[] = [];
  const onLine = (line: string): void => {
    if (line.startsWith('{')) taken.push(line);
  };
  const account = { concurrency: 10, running: 0 };
  const called = createFunction({ file, environment: {}, timeoutSeconds, memoryMiB: 128, onLine }, account);
  const offset = { aheadMs: 0 };
  const sqs = createPollingSqsClient(emulator);
  const url = `${emulator.endpoint}/000000000000/${name}`;
  const pair = { url, deadUrl: `${url}-dead` };
  const polling = pollQueue({
    source: { consumes: 'parse', batchSize: 1 },
    receiver: createSqsReceiver({ sqs, queueUrl: url, queueArn: '', region: emulator.region }),
    invoke: called.invoke,
    log: silentLog(),
    clock: () => Date.now() + offset.aheadMs,
    visibilitySeconds,
    pollers: 2,
  });
  t.after(async () => {
    await polling.stop(1);
    await called.close();
    await emulator.close();
    await rm(folder, { recursive: true, force: true });
  });
  const time = createWorldTime(emulator, offset, () => [{ queue: name, polling, called }]);
  const watch = createAlarmWatch();
  const counts = async () => {
    const all = new Map((await emulator.queues()).map((one) => [one.name, one]));
    const { ready = 0, inFlight = 0, handedOut = 0 } = all.get(name) ?? {};
    return { left: ready + inFlight, receives: handedOut / bodies.length, dead: all.get(`${name}-dead`)?.ready ?? 0 };
  };
  let sentAt = 0;
  return {
    time,
    taken,
    counts,
    send: async () => {
      sentAt = time.clock();
      for (const MessageBody of bodies) await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody }));
    },
    /** Tells the alarms what CloudWatch would see of the queues now. */
    sample: async () => {
      const now = await counts();
      const at = time.clock();
      const put = (metric: string, value: number) => watch.put({ name: metric, at, value, labels: { QueueName: '' } });
      // SQS leaves out what was received a third time.
      if (now.left > 0 && now.receives <= 2) put('ApproximateAgeOfOldestMessage', (at - sentAt) / 1_000);
      put('ApproximateNumberOfMessagesVisible', now.dead);
      return now;
    },
    hasRisen: (id: string) => {
      const [, alarm] = alarms.find(([logicalId]) => logicalId.includes(id)) ?? [];
      return watch.hasRisen({ ...alarm, Dimensions: [{ Name: 'QueueName', Value: '' }] });
    },
    redrive: () => createDeadLetters({ sqs, region: emulator.region, tell: () => {} }).redrive(pair),
  };
}

function synthesizeRule(timeoutSeconds: number) {
  const stack = new Stack(new App(), 'consumer');
  const handler = new ServerlessFunction(stack, 'Handler', {
    runtime: Runtime.NODEJS_24_X,
    handler: 'index.handler',
    code: Code.fromInline('exports.handler = async () => {}'),
    timeout: Duration.seconds(timeoutSeconds),
  });
  new MailRule(stack, 'Rule', { mail: 'the-bucket', target: { kind: 'function', handler } });
  const template = Template.fromStack(stack);
  const queues = resourcesOf(template, 'AWS::SQS::Queue').map(([, { Properties }]) => Properties);
  const [queue] = queues.filter(({ RedrivePolicy }) => RedrivePolicy !== undefined);
  const alarms = resourcesOf(template, 'AWS::CloudWatch::Alarm').map(
    ([id, { Properties }]) => [id, Properties] as const,
  );
  return { queue, alarms };
}

function handlerText(throwsUntil: number): string {
  return `export const handler = async ({ Records: [record] }) => {
    if (Date.now() < ${throwsUntil}) throw new Error('a bug');
    console.log(record.body);
  };`;
}
