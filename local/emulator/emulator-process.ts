// The process that plays S3 and SQS: fauxqs over a SQLite file, on 127.0.0.1, with what it lacks put right: conditions on
// writes, lists in byte order, an honest 501 for what it does not know. Started by emulator.ts; ends when that one does.
import { buildApp } from 'fauxqs';
import { z } from 'zod';
import { deadLetterQueue } from '#pipeline/contract/stages.ts';
import { setClockAhead } from './clock-ahead.ts';
import { refusalOf } from './preconditions.ts';
import { isDelayTooLong, makeTrue, nextDueAt, type TrueQueue } from './true-queues.ts';

const account = '000000000000';
const region = 'us-east-1';
const shortestWaitMs = 990;

/** What the process is told at start: where to keep things, and what there must be. */
const orderSchema = z.object({
  folder: z.string(),
  port: z.number(),
  bucket: z.string(),
  queues: z.array(z.object({ name: z.string(), visibilitySeconds: z.number(), maxReceives: z.number() })),
});
const aheadSchema = z.object({ aheadMs: z.number() });
type Order = z.infer<typeof orderSchema>;

type Stores = Required<NonNullable<NonNullable<Parameters<typeof buildApp>[0]>['stores']>>;

const queues = new Map<string, TrueQueue>();
const order = orderSchema.parse(JSON.parse(process.argv[2] ?? ''));
await start(order).catch((error: unknown) => {
  const isLocked = error instanceof Error && /database is locked/.test(error.message);
  if (!isLocked) throw error;
  process.send?.({ kind: 'refused', reason: `${order.folder} is in use by another Pillarbox` });
  process.disconnect();
});

async function start(order: Order): Promise<void> {
  const { stores, closeFiles } = await openStores(order.folder);
  prepare(stores, order);
  const app = buildApp({ logger: false, stores });
  app.addHook('preHandler', (request, reply, done) => {
    if (request.headers['x-amz-target'] !== undefined && isDelayTooLong(request.body)) {
      const message = 'Reason: DelaySeconds must be >= 0 and <= 900.';
      return reply.code(400).send({ __type: 'com.amazonaws.sqs#InvalidParameterValue', message });
    }
    const refusal = refusalOf(request, (bucket, key) => etagOf(stores.s3Store, bucket, key));
    if (refusal === null) return done();
    reply.code(refusal.status).header('content-type', 'application/xml').send(refusal.xml);
  });
  const calls = new Map<string, number>();
  app.addHook('onSend', (request, reply, payload, done) => {
    const call = callOf(request);
    const isCounted = !request.url.startsWith('/_pillarbox/') && !isWokenForNothing(call, payload, reply.elapsedTime);
    if (isCounted) calls.set(call, (calls.get(call) ?? 0) + 1);
    done(null, payload);
  });
  app.addHook('onResponse', (request, reply, done) => {
    const key = writtenKey(request.method, request.url);
    if (key !== null && reply.statusCode === 200) process.send?.({ kind: 'written', key });
    if (request.method === 'DELETE' && reply.statusCode === 204) {
      process.send?.({ kind: 'deleted', key: keyOf(new URL(request.url, 'http://emulator')) });
    }
    done();
  });
  app.get('/_pillarbox/calls', () => Object.fromEntries(calls));
  app.get('/_pillarbox/queues', () =>
    order.queues.flatMap(({ name }) => [name, deadLetterQueue(name)].map(countsOf(stores))),
  );
  app.get('/_pillarbox/jobs', () => order.queues.flatMap(({ name }) => jobsOf(stores, name)));
  app.get('/_pillarbox/queues/:name', (request) =>
    messagesOf(stores, z.object({ name: z.string() }).parse(request.params)),
  );
  process.on('message', (message) => {
    setClockAhead(aheadSchema.parse(message).aheadMs);
    for (const { endOverdueWaits } of queues.values()) endOverdueWaits();
  });
  app.addHook('preClose', closeFiles);
  await app.listen({ host: '127.0.0.1', port: order.port });
  const end = () => void app.close().then(() => process.exit(0));
  process.on('disconnect', end);
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => undefined);
  const address = app.server.address();
  process.send?.({ kind: 'listening', port: typeof address === 'object' ? address?.port : null });
}

/** The stores are not exported by the package's entry: they are taken from the files beside it. */
async function openStores(folder: string): Promise<{ stores: Stores; closeFiles: () => void }> {
  const beside = (file: string) => import(new URL(file, import.meta.resolve('fauxqs')).href);
  const { SqsStore } = await beside('./sqs/sqsStore.js');
  const { SnsStore } = await beside('./sns/snsStore.js');
  const { S3Store } = await beside('./s3/s3Store.js');
  const { PersistenceManager } = await beside('./persistence.js');
  const stores: Stores = { sqsStore: new SqsStore(), snsStore: new SnsStore(), s3Store: new S3Store() };
  const files = new PersistenceManager(folder);
  // One process a folder: the lock is held until this one ends, however it ends.
  files.db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT');
  const free = files.db.prepare(
    'UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL WHERE message_id = ?',
  );
  // fauxqs clears the count of hand-outs too, which its own table refuses: the message would be lost.
  files.updateMessageReady = (messageId: string) => free.run(messageId);
  files.load(stores.sqsStore, stores.snsStore, stores.s3Store);
  stores.sqsStore.persistence = files;
  stores.s3Store.persistence = files;
  for (const queue of stores.sqsStore.allQueues()) queue.persistence = files;
  return { stores, closeFiles: () => files.close() };
}

function prepare({ sqsStore, s3Store }: Stores, { bucket, queues }: Order): void {
  s3Store.createBucket(bucket);
  listInByteOrder(s3Store);
  for (const { name, visibilitySeconds, maxReceives } of queues) {
    const dead = deadLetterQueue(name);
    const redrive = { deadLetterTargetArn: arnOf(dead), maxReceiveCount: maxReceives };
    haveQueue(sqsStore, dead, { MessageRetentionPeriod: '1209600' });
    haveQueue(sqsStore, name, {
      VisibilityTimeout: String(visibilitySeconds),
      MessageRetentionPeriod: '1209600',
      RedrivePolicy: JSON.stringify(redrive),
    });
  }
}

/** Making a queue that is there would empty it. Whoever held its jobs died with the process before: they are free. */
function haveQueue(sqsStore: Stores['sqsStore'], name: string, attributes: Record<string, string>): void {
  const known = sqsStore.getQueueByName(name);
  const queue = known ?? sqsStore.createQueue(name, `http://127.0.0.1/${account}/${name}`, arnOf(name), attributes);
  queues.set(name, makeTrue(queue));
  if (known === undefined) return;
  queue.setAttributes(attributes);
  for (const handle of [...queue.inflightMessages.keys()]) queue.changeVisibility(handle, 0);
}

function arnOf(queue: string): string {
  return `arn:aws:sqs:${region}:${account}:${queue}`;
}

/** fauxqs sorts by the locale, and so skips keys between pages; S3 sorts by the bytes of UTF-8. */
function listInByteOrder(s3Store: Stores['s3Store']): void {
  const list = s3Store.listObjects.bind(s3Store);
  s3Store.listObjects = (bucket, options) => {
    if (options?.delimiter !== undefined) return list(bucket, options);
    const { prefix = '', maxKeys = 1_000 } = options ?? {};
    const after = options?.startAfter ?? options?.marker ?? '';
    const objects = s3Store['buckets'].get(bucket);
    if (objects === undefined) return list(bucket, options);
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && byBytes(key, after) > 0).sort(byBytes);
    const page = keys.slice(0, maxKeys).flatMap((key) => objects.get(key) ?? []);
    return { objects: page, commonPrefixes: [], isTruncated: keys.length > page.length };
  };
}

function byBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

function etagOf(s3Store: Stores['s3Store'], bucket: string, key: string): string | null {
  return s3Store['buckets'].get(bucket)?.get(key)?.etag ?? null;
}

/** What AWS would bill: `PUT`, `GET` … of S3, the name of the operation for SQS. */
function callOf({ method, headers }: { readonly method: string; readonly headers: Record<string, unknown> }): string {
  const target = headers['x-amz-target'];
  return typeof target === 'string' ? target.slice(target.indexOf('.') + 1) : method;
}

/** fauxqs wakes all who wait for one message; SQS leaves those waiting who get none. */
function isWokenForNothing(call: string, payload: unknown, elapsedMs: number): boolean {
  return call === 'ReceiveMessage' && payload === '{}' && elapsedMs < shortestWaitMs;
}

function writtenKey(method: string, url: string): string | null {
  const { pathname, searchParams } = new URL(url, 'http://emulator');
  const isPut = method === 'PUT' && !searchParams.has('partNumber');
  const isComplete = method === 'POST' && searchParams.has('uploadId');
  if (!isPut && !isComplete) return null;
  return keyOf({ pathname }) || null;
}

function keyOf({ pathname }: { readonly pathname: string }): string {
  return decodeURIComponent(pathname.split('/').slice(2).join('/'));
}

function countsOf({ sqsStore }: Stores) {
  return (name: string) => {
    const queue = sqsStore.getQueueByName(name);
    queue?.processTimers();
    const due = (queue?.messages ?? []).map(({ sentTimestamp, delayUntil }) => delayUntil ?? sentTimestamp);
    const oldest = due.reduce((so, at) => Math.min(so, at), Number.POSITIVE_INFINITY);
    return {
      name,
      ready: queue?.messages.length ?? 0,
      delayed: queue?.delayedMessages.length ?? 0,
      inFlight: queue?.inflightMessages.size ?? 0,
      oldestAt: Number.isFinite(oldest) ? oldest : null,
      nextDueAt: queue === undefined ? null : nextDueAt(queue),
      handedOut: queues.get(name)?.handedOut() ?? 0,
    };
  };
}

/** The bodies of what is ready, delayed or out with a worker. */
function jobsOf({ sqsStore }: Stores, name: string): readonly string[] {
  const queue = sqsStore.getQueueByName(name);
  if (queue === undefined) return [];
  const inFlight = [...queue.inflightMessages.values()].map(({ message }) => message);
  return [...queue.messages, ...queue.delayedMessages, ...inFlight].map(({ body }) => body);
}

function messagesOf({ sqsStore }: Stores, { name }: { readonly name: string }) {
  const messages = sqsStore.getQueueByName(name)?.messages ?? [];
  return messages
    .slice(-1_000)
    .map(({ messageId, body, messageAttributes, approximateReceiveCount, sentTimestamp }) => ({
      messageId,
      body,
      texts: Object.fromEntries(
        Object.entries(messageAttributes).map(([key, value]) => [key, value.StringValue ?? '']),
      ),
      receiveCount: approximateReceiveCount,
      sentAt: sentTimestamp,
    }));
}
