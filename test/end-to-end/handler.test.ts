// One handler, developed on a laptop and deployed unchanged: the same file is called as a module of a hook by the service on one machine,
// and as the function behind the queue of a MailRule, where the bundles that ship tell EventBridge.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { CreateQueueCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { createFunction } from '#local/emulator/lambda-function.ts';
import { pollQueue } from '#local/emulator/poll-queue.ts';
import { type EmulatorWorld, startEmulatorWorld } from '#local/emulator/start-emulator.ts';
import { createPollingSqsClient, createSqsClient } from '#pipeline/aws/clients.ts';
import { createSqsReceiver } from '#pipeline/aws/sqs-receiver.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { fixedConfigSource } from '#pipeline/config/config-source.ts';
import { sharedBundles } from '#test/support/aws/shared-bundles.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { eventually, startLocalService } from '#test/support/worlds/local-service.ts';

const content = Buffer.from(
  [
    'From: Ann <ann@sender.example>',
    'Subject: a ticket',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/plain',
    '',
    'It rains.',
    '--b',
    'Content-Type: text/csv; name=rain.csv',
    'Content-Disposition: attachment; filename=rain.csv',
    '',
    'day,mm',
    '--b--',
    '',
  ].join('\r\n'),
);

/** Answers the first time that the record failed; then writes down what it was told of and what it read. */
const handler = `import { appendFileSync } from 'node:fs';
import { readMail } from '${import.meta.resolve('#consume/exports.ts')}';

export async function handler(event) {
  const [{ messageId, attributes, body }] = event.Records;
  if (attributes.ApproximateReceiveCount === '1') return { batchItemFailures: [{ itemIdentifier: messageId }] };
  const [mail] = await readMail(event);
  const names = (value) => typeof value !== 'object' || value === null ? typeof value
    : Array.isArray(value) ? value.map(names) : Object.fromEntries(Object.keys(value).sort().map((name) => [name, names(value[name])]));
  const told = { from: mail.from, subject: mail.subject, text: await mail.readText(), bucket: mail.storedAt.bucket,
    attachment: Buffer.from(await mail.readAttachment(mail.attachments[0])).toString(),
    isRaw: Buffer.from(await mail.readRaw()).includes('Subject: a ticket'),
    event: names(event), eventBridge: names(JSON.parse(body)) };
  appendFileSync(import.meta.dirname + '/told.jsonl', JSON.stringify(told) + '\\n');
}
`;

/** What the handler in that folder was told of; empty until it is. */
function toldIn(folder: string): any[] {
  try {
    const lines = readFileSync(join(folder, 'told.jsonl'), 'utf8').trim().split('\n');
    return lines.map((line) => JSON.parse(line));
  } catch {
    return [];
  }
}

test('one handler file gets the same event and reads the same mail on one machine and behind a MailRule on AWS', async (t) => {
  const [[here = assert.fail()], [onAws = assert.fail()]] = await Promise.all([toldOnOneMachine(t), toldOnAws(t)]);
  assert.deepEqual(here, onAws);
  assert.deepEqual(
    [here.subject, here.text.trim(), here.attachment.trim(), here.isRaw],
    ['a ticket', 'It rains.', 'day,mm', true],
  );
});

async function toldOnOneMachine(t: TestContext): Promise<any[]> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'ticket.mjs'), handler);
  const hooks = [{ name: 'tickets', match: { mailbox: 'support' }, module: 'ticket.mjs' }];
  const service = await startLocalService(t, { folder, config: { hooks } });
  const smtp = await rawSmtp(service.ports.mx);
  await smtp.command('EHLO mx.sender.example');
  await sendRaw(smtp, { to: ['support@receiver.example'], content });
  smtp.close();
  await eventually('the module was told', () => service.output().includes('"hook-told"'));
  assert.equal(service.output().match(/"hook-failed"/g)?.length, 1);
  return toldIn(folder);
}

async function toldOnAws(t: TestContext): Promise<any[]> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'ticket.mjs'), handler);
  const rule = await startRule(t);
  const dns = { servers: ['127.0.0.1:1'], timeoutSeconds: 1, temperrorRetrySeconds: [] };
  const world = await startEmulatorWorld({
    folder: join(folder, 'emulator'),
    config: fixedConfigSource(configSchema.parse({ mode: 'capture', hostname: 'mx.receiver.example', dns })),
    secretsFolder: folder,
    filesFolder: folder,
    environment: { PILLARBOX_EVENT_BUS: 'default', AWS_ENDPOINT_URL_EVENTBRIDGE: rule.endpoint },
    clock: Date.now,
    log: silentLog(),
    metrics: noMetrics(),
    write: () => {},
    bundles: join(await sharedBundles(), 'functions'),
  });
  t.after(() => world.close(1));
  const log = silentLog();
  await runFunction(t, { world, rule, file: join(folder, 'ticket.mjs'), log });
  const job = sampleReceivedJob({ content });
  const writer = world.intake.open({ key: job.raw.key, envelope: { reversePath: job.envelope.reversePath } });
  await writer.write(content);
  await writer.commit(job);
  await eventually('the function was called', () => rule.handled() > 0);
  await world.time.setAhead(121_000); // the visibility timeout of a MailRule's queue
  await eventually('the function was told', () => toldIn(folder).length > 0);
  assert.deepEqual(log.entries, []);
  return toldIn(folder);
}

type RuleStandIn = {
  readonly endpoint: string;
  /** Takes each entry as EventBridge puts it into a queue. */
  send: (event: object) => Promise<unknown>;
  handled: () => number;
};

/** EventBridge with a rule for all of our events. */
async function startRule(t: TestContext): Promise<RuleStandIn> {
  const bus = createServer(async (request, response) => {
    const { Entries } = JSON.parse(await text(request));
    for (const { Source, DetailType, Time, Detail } of Entries) {
      const time = new Date(Time * 1_000).toISOString().replace(/\.\d+Z$/, 'Z');
      const from = { version: '0', id: crypto.randomUUID(), source: Source, 'detail-type': DetailType };
      const at = { account: '123456789012', time, region: 'us-east-1', resources: [] };
      await rule.send({ ...from, ...at, detail: JSON.parse(Detail) });
    }
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    response.end(JSON.stringify({ FailedEntryCount: 0, Entries: Entries.map(() => ({ EventId: 'e' })) }));
  });
  await new Promise<void>((resolve) => bus.listen(0, '127.0.0.1', resolve));
  t.after(() => bus.close());
  const { port } = bus.address() as AddressInfo;
  const rule: RuleStandIn = {
    endpoint: `http://127.0.0.1:${port}`,
    send: () => Promise.reject(new Error('there is no queue yet')),
    handled: () => 0,
  };
  return rule;
}

/** The queue of the rule, as `cdk/mail-rule.ts` makes it, and the function behind it. */
async function runFunction(
  t: TestContext,
  {
    world: { emulator },
    rule,
    file,
    log,
  }: { world: EmulatorWorld; rule: RuleStandIn; file: string; log: ReturnType<typeof silentLog> },
): Promise<void> {
  const sqs = createSqsClient(emulator);
  const Attributes = { VisibilityTimeout: '120', MessageRetentionPeriod: String(14 * 86_400) };
  const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: 'Support', Attributes }));
  rule.send = (event) => sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(event) }));
  const { region } = emulator;
  const environment = {
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: 'function',
    AWS_SECRET_ACCESS_KEY: 'function',
    AWS_ENDPOINT_URL_S3: emulator.endpoint,
  };
  const called = createFunction(
    { file, environment, timeoutSeconds: 20, memoryMiB: 512, onLine: () => {} },
    { concurrency: 1_000, running: 0 },
  );
  const queueArn = `arn:aws:sqs:${region}:123456789012:Support`;
  let handled = 0;
  rule.handled = () => handled;
  const polling = pollQueue({
    source: { consumes: 'notify', batchSize: 1, maxConcurrency: { aws: 1, local: 1 } },
    receiver: createSqsReceiver({ sqs: createPollingSqsClient(emulator), queueUrl: QueueUrl, queueArn, region }),
    invoke: (event) => called.invoke(event).finally(() => (handled += 1)),
    log,
    clock: Date.now,
    pollers: 1,
  });
  t.after(async () => {
    await polling.stop(1);
    await called.close();
  });
}
