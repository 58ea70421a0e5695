// What a MailRule makes, over the emulated SQS: EventBridge with a rule, its queue, and the function behind it.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { CreateQueueCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { createFunction } from '#local/emulator/lambda-function.ts';
import { pollQueue } from '#local/emulator/poll-queue.ts';
import type { EmulatorWorld } from '#local/emulator/start-emulator.ts';
import { createPollingSqsClient, createSqsClient } from '#pipeline/aws/clients.ts';
import { createSqsReceiver } from '#pipeline/aws/sqs-receiver.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';

/** How long an event is hidden after a failure. */
export const visibilitySeconds = 120;

export type MailRuleStandIn = {
  /** Of EventBridge. */
  readonly endpoint: string;
  /** Puts the function of a file behind the queue. */
  readonly runFunction: (world: Pick<EmulatorWorld, 'emulator'>, file: string) => Promise<void>;
  /** How often the function was called. */
  readonly handled: () => number;
};

/** A rule for all of our events. */
export async function startMailRule(t: Pick<TestContext, 'after'>): Promise<MailRuleStandIn> {
  let send: (event: object) => Promise<unknown> = () => assert.fail('there is no queue yet');
  let handled = 0;
  const bus = createServer(async (request, response) => {
    const { Entries } = JSON.parse(await text(request));
    for (const { Source, DetailType, Time, Detail } of Entries) {
      const time = new Date(Time * 1_000).toISOString().replace(/\.\d+Z$/, 'Z');
      const from = { version: '0', id: crypto.randomUUID(), source: Source, 'detail-type': DetailType };
      const at = { account: '123456789012', time, region: 'us-east-1', resources: [] };
      await send({ ...from, ...at, detail: JSON.parse(Detail) });
    }
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    response.end(JSON.stringify({ FailedEntryCount: 0, Entries: Entries.map(() => ({ EventId: 'e' })) }));
  });
  await new Promise<void>((resolve) => bus.listen(0, '127.0.0.1', resolve));
  t.after(() => bus.close());
  const { port } = bus.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    runFunction: async ({ emulator }, file) => {
      const { endpoint, region } = emulator;
      const sqs = createSqsClient(emulator);
      const Attributes = { VisibilityTimeout: String(visibilitySeconds) };
      const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: 'Support', Attributes }));
      send = (event) => sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(event) }));
      const credentials = { AWS_ACCESS_KEY_ID: 'function', AWS_SECRET_ACCESS_KEY: 'function' };
      const environment = { ...credentials, AWS_REGION: region, AWS_ENDPOINT_URL_S3: endpoint };
      const called = createFunction(
        { file, environment, timeoutSeconds: 20, memoryMiB: 512, onLine: () => {} },
        { concurrency: 1_000, running: 0 },
      );
      const queueArn = `arn:aws:sqs:${region}:123456789012:Support`;
      const polling = pollQueue({
        source: { consumes: 'notify', batchSize: 1 },
        receiver: createSqsReceiver({ sqs: createPollingSqsClient(emulator), queueUrl: QueueUrl, queueArn, region }),
        invoke: (event) => called.invoke(event).finally(() => (handled += 1)),
        log: silentLog(),
        clock: Date.now,
        pollers: 1,
      });
      t.after(async () => {
        await polling.stop(1);
        await called.close();
      });
    },
    handled: () => handled,
  };
}
