// The emulator world end to end: real SDK, real bundles, real events; what it promises to the runner and the ops API.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { type EmulatorWorld, startEmulatorWorld } from '#local/emulator/start-emulator.ts';
import { deleteEach } from '#ops/messages/delete-messages.ts';
import { createAcceptMessage } from '#ops/releases/accept-message.ts';
import { createSqsClient } from '#pipeline/aws/clients.ts';
import { packBody } from '#pipeline/aws/pack.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { fixedConfigSource } from '#pipeline/config/config-source.ts';
import type { ReceivedJob } from '#pipeline/contract/jobs.ts';
import { messageKey } from '#pipeline/contract/keys.ts';
import { inboxMessageRecord, inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';
import { marksRecord } from '#pipeline/contract/records/marks.ts';
import { createMetricsRegistry } from '#pipeline/observe/metrics.ts';
import { passTime } from '#test/support/aws/pass-time.ts';
import { sharedBundles } from '#test/support/aws/shared-bundles.ts';
import { collect } from '#test/support/fakes/memory-store.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';

const config = configSchema.parse({
  mode: 'capture',
  hostname: 'mx.receiver.example',
  dns: { servers: ['127.0.0.1:1'], timeoutSeconds: 1, temperrorRetrySeconds: [1] },
});
let folder = '';
let world: EmulatorWorld;
const metrics = createMetricsRegistry();
const lines: string[] = [];
const log = silentLog();

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pillarbox-world-'));
  world = await start();
});

after(async () => {
  await world.close(1);
  await rm(folder, { recursive: true, force: true });
});

test('a message becomes JSON in inbox/, found by search, announced once, and the queues drain', async () => {
  const announced: string[] = [];
  const stop = world.admin.watch((key) => announced.push(key));
  const content = Buffer.from('From: ann@sender.example\r\nSubject: bells ring\r\n\r\nthe text\r\n');
  const job = await commit(content);
  const keys = await until(async () => nonEmpty(await world.admin.findMessage(job.id)));
  assert.equal(keys.length, 1);
  const object = await world.store.get(keys[0]!);
  const message = inboxMessageSchema.parse(JSON.parse(String(await collect(object!.body))));
  assert.equal(message.subject, 'bells ring');
  assert.deepEqual(message.raw, job.raw);
  assert.deepEqual(await collect((await world.store.get(job.raw.key))!.body), content);
  const page = await world.admin.messages({ mailbox: 'support@receiver.example', q: 'BELLS', limit: 10, after: null });
  assert.deepEqual(
    page.messages.map(({ id }) => id),
    [job.id],
  );
  assert.equal(page.next, null);
  assert.deepEqual((await world.admin.messages({ mailbox: null, q: 'whistles', limit: 10, after: null })).messages, []);
  assert.deepEqual(announced, keys);
  stop();
  await until(async () => (await world.admin.queues()).every(isEmpty) || null);
  assert.deepEqual(await world.admin.underWay([job.id]), []);
  const marks = marksRecord.key({ id: job.id, receivedAt: job.receivedAt });
  await marksRecord.write(world.store, marks, { schema: 'marks/1', id: job.id, read: true, tags: ['x'] });
  const [listed] = (await world.admin.messages({ mailbox: null, q: null, limit: 10, after: null })).messages;
  assert.deepEqual([listed?.read, listed?.tags], [true, ['x']]);
  const counts = await world.admin.mailboxes();
  assert.deepEqual([counts.messages, counts.unread, counts.tags], [1, 0, [{ name: 'x', messages: 1 }]]);
  const told: string[] = [];
  const stopDeleted = world.admin.watchDeleted((key) => told.push(key));
  assert.equal(await deleteEach(world, [job.id], null), 1);
  await until(async () => (told.length > 0 ? told : null));
  stopDeleted();
  assert.deepEqual(
    [told, await world.admin.findMessage(job.id), await world.store.head(job.raw.key)],
    [keys, [], null],
  );
});

test('a message that is released from quarantine is written to the inbox by the function, which then clears up', async () => {
  const { id, receivedAt } = await commit(Buffer.from('From: ann@sender.example\r\nSubject: withheld\r\n\r\nx\r\n'));
  const [inbox = ''] = await until(async () => nonEmpty(await world.admin.findMessage(id)));
  const message = await inboxMessageRecord.find(world.store, inbox);
  assert.ok(message !== null);
  const mailbox = { ...message.mailbox, localPart: 'sales' };
  const [withheld, released] = (['quarantine', 'inbox'] as const).map((folder) =>
    messageKey(folder, { ...mailbox, id, receivedAt }),
  );
  const disposition = { action: 'quarantine', reason: 'DMARC fails' } as const;
  await inboxMessageRecord.write(world.store, withheld!, { ...message, mailbox, disposition });
  await until(async () => ((await world.admin.findMessage(id)).length === 2 ? true : null));
  const accept = createAcceptMessage({ ...world, clock: Date.now });
  const mailboxes = ['sales@receiver.example'];
  assert.deepEqual(await accept({ id, only: null, by: 'a test' }), { outcome: 'queued', mailboxes });
  await until(async () => ((await world.store.head(withheld!)) === null ? true : null));
  const { disposition: now } = (await inboxMessageRecord.find(world.store, released!)) ?? {};
  assert.deepEqual([now?.action, now?.reason, now?.released?.by], ['accept', 'DMARC fails', 'a test']);
  assert.deepEqual(await accept({ id, only: '@receiver.example', by: 'a test' }), {
    outcome: 'in-inbox',
    mailboxes: [...mailboxes, 'support@receiver.example'],
  });
});

test('pages of mail go from the newest on and miss nothing', async () => {
  const jobs = await Promise.all(
    Array.from({ length: 5 }, (_, n) => commit(Buffer.from(`Subject: page ${n}\r\n\r\nx`))),
  );
  for (const { id } of jobs) await until(async () => nonEmpty(await world.admin.findMessage(id)));
  const seen: string[] = [];
  let after: string | null = null;
  do {
    const page: Awaited<ReturnType<EmulatorWorld['admin']['messages']>> = await world.admin.messages({
      mailbox: '@receiver.example',
      q: 'page',
      limit: 2,
      after,
    });
    assert.ok(page.messages.length <= 2);
    seen.push(...page.messages.map(({ id }) => id));
    after = page.next;
  } while (after !== null);
  assert.deepEqual(
    seen,
    jobs
      .map(({ id }) => id)
      .sort()
      .reverse(),
  );
});

test('the functions’ log lines and metrics arrive', async () => {
  await until(async () => log.entries.find(({ fields }) => fields['stage'] === 'parse') ?? null);
  assert.deepEqual(lines, []);
  assert.match(metrics.text(), /pillarbox_messages_stored_total\{action="accept",stage="parse"\} [1-9]/);
});

test('a job whose message is missing becomes a dead letter that can be redriven and purged', async () => {
  const job = sampleReceivedJob();
  await world.jobs.send('received', job);
  const isDead = async () => (await world.admin.deadLetters('received', 10)).length > 0;
  await passTime(world.time, 'it is dead', isDead);
  const dead = await world.admin.deadLetters('received', 10);
  assert.deepEqual([dead.length, dead[0]?.id, dead[0]?.queue], [1, job.id, 'received']);
  assert.match(dead[0]?.reason ?? '', /^the stored message is missing/);
  assert.equal(dead[0]?.receiveCount, 1);
  const given = () => log.entries.filter(({ event, fields }) => event === 'job-dead' && fields['id'] === job.id).length;
  const before = given();
  assert.equal(await world.admin.redrive('received'), 1);
  await passTime(world.time, 'it is dead again', async () => given() > before && (await isDead()));
  assert.equal(await world.admin.purge('received'), 1);
  const withDead = (await world.admin.queues()).filter((queue) => queue.dead > 0);
  assert.deepEqual(withDead, []);
  await world.time.setAhead(0);
});

test('dead letters that SQS moved in one message are shown one by one', async () => {
  const [one, two] = [sampleReceivedJob(), sampleReceivedJob()];
  const MessageBody = packBody([one, two].map((job) => JSON.stringify(job)));
  await createSqsClient(world.emulator).send(
    new SendMessageCommand({ QueueUrl: world.emulator.queueUrl('parse', 'dead'), MessageBody }),
  );
  const dead = await world.admin.deadLetters('parse', 10);
  assert.deepEqual(
    dead.map(({ id, body }) => [id, JSON.parse(body)]),
    [one, two].map((job) => [job.id, job]),
  );
  assert.equal(await world.admin.purge('parse'), 1);
});

test('a delay of more than 900 s is refused, as SQS does', async () => {
  const QueueUrl = world.emulator.queueUrl('received');
  const command = new SendMessageCommand({ QueueUrl, MessageBody: '{}', DelaySeconds: 901 });
  await assert.rejects(createSqsClient(world.emulator).send(command), { name: 'InvalidParameterValue' });
});

test('what was there is there after a restart, jobs that were under way too', async () => {
  const before = (await world.admin.messages({ mailbox: null, q: null, limit: 100, after: null })).messages;
  await world.close(0);
  world = await start();
  const now = (await world.admin.messages({ mailbox: null, q: null, limit: 100, after: null })).messages;
  assert.deepEqual(now, before);
});

async function start(): Promise<EmulatorWorld> {
  return startEmulatorWorld({
    folder: join(folder, 'emulator'),
    config: fixedConfigSource(config),
    secretsFolder: join(folder, 'secrets'),
    filesFolder: folder,
    environment: {},
    clock: Date.now,
    log,
    metrics,
    write: (line) => lines.push(line),
    bundles: join(await sharedBundles(), 'functions'),
  });
}

async function commit(content: Buffer): Promise<ReceivedJob> {
  const job = sampleReceivedJob({ content });
  const writer = world.intake.open({ key: job.raw.key, envelope: { reversePath: job.envelope.reversePath } });
  await writer.write(content);
  await writer.commit(job);
  return job;
}

function isEmpty({ ready, delayed, inFlight, dead }: Awaited<ReturnType<EmulatorWorld['admin']['queues']>>[number]) {
  return ready + delayed + inFlight + dead === 0;
}

function nonEmpty<Item>(items: readonly Item[]): readonly Item[] | null {
  return items.length > 0 ? items : null;
}

/** Asks again and again until there is an answer, for 30 s. */
async function until<Answer>(ask: () => Promise<Answer | null>): Promise<Answer> {
  const end = Date.now() + 30_000;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    assert.ok(Date.now() < end, `waited 30 s; the functions said:\n${JSON.stringify(log.entries.slice(-20), null, 1)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
