// The notify stage over real sockets: what a webhook gets, and what follows from how it behaves.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { readMail } from '#consume/read-mail.ts';
import { verifyWebhook } from '#consume/verify-webhook.ts';
import { type NotifyDeps, notify } from '#functions/notify/notify.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import type { NotifyJob } from '#pipeline/contract/jobs.ts';
import { messageKey } from '#pipeline/contract/keys.ts';
import { damagedBody } from '#pipeline/contract/stored-body.ts';
import { whyHopeless } from '#pipeline/run/own-fault.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { createMemoryJobs } from '#test/support/fakes/memory-jobs.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { startWebhookReceiver } from '#test/support/peers/webhook-receiver.ts';
import { sampleMessage } from '#test/support/samples/sample-message.ts';

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const message = sampleMessage();
const key = messageKey('inbox', { ...message, ...message.mailbox, id: message.id as NotifyJob['id'] });
const json = JSON.stringify(message);
const first = { receiveCount: 1 };

function stage(
  hook: Partial<NonNullable<ConfigInput['hooks']>[number]> & { url: string },
  over: Partial<NotifyDeps> = {},
) {
  const clock = setClock();
  const store = createMemoryStore();
  store.seed(key, Buffer.from(json));
  const job: NotifyJob = {
    version: 1,
    id: message.id as NotifyJob['id'],
    key,
    hook: 'tickets',
    createdAt: clock.iso(),
    attempt: 1,
    lastReason: null,
  };
  const fakes = { store, jobs: createMemoryJobs(), log: silentLog() };
  const deps = {
    config: fixedConfig({ hooks: [{ name: 'tickets', secret: 'env:HOOK', ...hook }] }),
    secrets: { read: async () => secret },
    lookUp: async () => [{ address: '127.0.0.1', family: 4 }],
    reach: { loopback: true, private: true },
    linkTo: null,
    programs: null,
    clock,
    metrics: noMetrics(),
    random: () => 0.5,
    ...over,
    ...fakes,
  };
  return { deps, job, clock };
}

/** The stage's one failed attempt: its reason, and the job that follows. */
async function failedOnce(t: TestContext, answer: (response: ServerResponse) => void, over: Partial<NotifyDeps> = {}) {
  const receiver = await startWebhookReceiver(t, answer);
  const { deps, job } = stage({ url: receiver.url }, over);
  assert.deepEqual(await notify(deps, job, first), { outcome: 'told-later' });
  const [{ job: next, options } = assert.fail('no job follows')] = deps.jobs.sent;
  assert.ok('hook' in next);
  return { next, options, receiver, reason: next.lastReason ?? '' };
}

test('a webhook gets the inbox message, and proves it with our verifier', async (t) => {
  const receiver = await startWebhookReceiver(t);
  const { deps, job, clock } = stage({ url: receiver.url });
  assert.deepEqual(await notify(deps, job, first), { outcome: 'told' });
  const [{ headers, body }] = receiver.taken as [(typeof receiver.taken)[number]];
  const { id, payload } = verifyWebhook({ headers, body }, { secret, now: clock });
  assert.match(id, new RegExp(`^msg_${message.id}_[0-9a-f]{16}$`));
  assert.deepEqual(payload, { type: 'mail.stored', timestamp: job.createdAt, data: message });
  const [mail] = await readMail(payload);
  assert.equal(mail?.subject, 'Hello');
  assert.deepEqual(deps.jobs.sent, []);
});

test('the signature is what an independent HMAC says, in another language too', async (t) => {
  const receiver = await startWebhookReceiver(t);
  const { deps, job } = stage({ url: receiver.url });
  await notify(deps, job, first);
  const [{ headers, body }] = receiver.taken as [(typeof receiver.taken)[number]];
  const program = `import base64, hashlib, hmac, sys
key = base64.b64decode(sys.argv[1])
signed = sys.argv[2].encode() + b"." + sys.argv[3].encode() + b"." + sys.stdin.buffer.read()
print("v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode())`;
  const [id, sentAt] = [String(headers['webhook-id']), String(headers['webhook-timestamp'])];
  const python = execFileSync('python3', ['-c', program, secret.slice(6), id, sentAt], {
    input: body,
    encoding: 'utf8',
  });
  assert.equal(headers['webhook-signature'], python.trim());
  const here = createHmac('sha256', Buffer.from(secret.slice(6), 'base64'))
    .update(`${id}.${sentAt}.`)
    .update(body);
  assert.equal(headers['webhook-signature'], `v1,${here.digest('base64')}`);
});

test('each attempt has its own time and the same id', async (t) => {
  const receiver = await startWebhookReceiver(t, (response, n) => response.writeHead(n === 1 ? 500 : 200).end());
  const { deps, job, clock } = stage({ url: receiver.url });
  await notify(deps, job, first);
  const [next] = deps.jobs.of('notify');
  clock.advance(10_000);
  assert.deepEqual(await notify(deps, next ?? assert.fail(), first), { outcome: 'told' });
  const [one, other] = receiver.taken.map(({ headers }) => headers);
  assert.equal(one?.['webhook-id'], other?.['webhook-id']);
  assert.equal(Number(other?.['webhook-timestamp']) - Number(one?.['webhook-timestamp']), 10);
});

test('a receiver that fails is told again later, with the reason in the job and its own fair-queue group', async (t) => {
  const { next, options } = await failedOnce(t, (response) => response.writeHead(503).end('no database'));
  assert.deepEqual([next.attempt, next.lastReason], [2, 'it answered 503: no database']);
  assert.deepEqual(options, { notBefore: '2026-11-21T12:00:10.000Z', group: 'tickets' });
});

test('a redirect is not followed', async (t) => {
  const target = await startWebhookReceiver(t);
  const { reason } = await failedOnce(t, (response) => response.writeHead(307, { location: target.url }).end());
  assert.equal(reason, 'it answered 307, and redirects are not followed');
  assert.equal(target.taken.length, 0);
});

test('an answer that never ends is read for 4 KiB, and its connection closed', async (t) => {
  let wrote = 0;
  const closed = Promise.withResolvers<void>();
  const { reason } = await failedOnce(t, (response) => {
    response.writeHead(500);
    const flood = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(16_384, 'a'))) wrote += 16_384;
    };
    response.on('drain', flood).on('close', () => closed.resolve());
    flood();
  });
  await closed.promise;
  assert.ok(reason.length < 300 && wrote < 64 * 1_048_576);
});

test('a receiver that says nothing is left after the timeout', async (t) => {
  const { reason } = await failedOnce(t, () => {}, { timeoutMs: 50 });
  assert.equal(reason, 'it did not answer within 0.05 s');
});

test('a receiver that says 200 and then drips its answer has taken the message', async (t) => {
  const receiver = await startWebhookReceiver(t, (response) => response.writeHead(200).write('.'));
  const { deps, job } = stage({ url: receiver.url }, { timeoutMs: 400 });
  assert.deepEqual(await notify(deps, job, first), { outcome: 'told' });
});

test('a port where nobody listens is tried again, and the reason says so', async () => {
  const { deps, job } = stage({ url: 'http://127.0.0.1:1/mail' });
  await notify(deps, job, first);
  assert.match(deps.jobs.of('notify')[0]?.lastReason ?? '', /ECONNREFUSED/);
});

const inside = ['127.0.0.1', '::1', '10.1.2.3', '169.254.169.254', '::ffff:169.254.169.254', '192.168.0.1', 'fe80::1'];
for (const address of inside) {
  test(`on AWS a name that leads to ${address}, among others, is not connected to`, async () => {
    const lookUp = async () => [
      { address: '192.0.2.1', family: 4 },
      { address, family: address.includes(':') ? 6 : 4 },
    ];
    const reach = { loopback: false, private: false };
    const { deps, job } = stage({ url: 'https://receiver.example/', allowPrivate: true }, { lookUp, reach });
    await notify(deps, job, first);
    const reason = deps.jobs.of('notify')[0]?.lastReason;
    assert.equal(reason, `receiver.example [${address}] is not a public address, and hooks may not be called there`);
  });
}

for (const url of ['https://169.254.169.254/', 'https://[::1]/', 'https://2130706433/', 'https://0x7f.1/']) {
  test(`on AWS ${url} itself is not connected to`, async () => {
    const { deps, job } = stage({ url }, { reach: { loopback: false, private: false } });
    await notify(deps, job, first);
    assert.match(deps.jobs.of('notify')[0]?.lastReason ?? '', /is not a public address/);
  });
}

test('on one machine loopback is allowed, and 169.254.169.254 only with allowPrivate', async (t) => {
  const receiver = await startWebhookReceiver(t);
  const metadata = async () => [{ address: '169.254.169.254', family: 4 }];
  const refused = stage({ url: 'https://receiver.example/' }, { lookUp: metadata });
  await notify(refused.deps, refused.job, first);
  assert.match(refused.deps.jobs.of('notify')[0]?.lastReason ?? '', /169\.254\.169\.254\] is not a public address/);
  const named = stage({ url: `http://localhost:${receiver.port}/` });
  assert.deepEqual(await notify(named.deps, named.job, first), { outcome: 'told' });
});

test('the addresses that were checked are those connected to: the name is looked up once', async (t) => {
  const receiver = await startWebhookReceiver(t);
  let asked = 0;
  const lookUp = async () => {
    asked += 1;
    return [{ address: asked === 1 ? '127.0.0.1' : '127.0.0.2', family: 4 }];
  };
  const { deps, job } = stage({ url: `http://hook.test:${receiver.port}/`, allowPrivate: true }, { lookUp });
  assert.deepEqual(await notify(deps, job, first), { outcome: 'told' });
  assert.equal(asked, 1);
});

test('410 is given up at once, and the log says so', async (t) => {
  const receiver = await startWebhookReceiver(t, (response) => response.writeHead(410).end());
  const { deps, job } = stage({ url: receiver.url });
  assert.deepEqual(await notify(deps, job, first), { outcome: 'gone' });
  assert.deepEqual(deps.jobs.sent, []);
  assert.deepEqual(
    deps.log.entries.map(({ event }) => event),
    ['hook-gone'],
  );
});

test('after a day the job becomes a dead letter that says why; delivered again by SQS, it is not told again', async (t) => {
  const receiver = await startWebhookReceiver(t, (response) => response.writeHead(500).end('still no'));
  const { deps, job, clock } = stage({ url: receiver.url });
  clock.advance(86_400_000);
  const last = { ...job, attempt: 26 };
  await assert.rejects(
    notify(deps, last, first),
    /hook tickets was tried 26 times in a day; the last reason: it answered 500: still no/,
  );
  await assert.rejects(notify(deps, last, { receiveCount: 2 }), /tried 26 times/);
  assert.equal(receiver.taken.length, 1);
  await assert.rejects(notify(deps, last, first), /26 times/);
  assert.equal(receiver.taken.length, 2, 'a dead letter that is redriven is told once more');
});

test('from the fifth failure for a message on, twenty minutes after the first, a failing hook is counted for its alarm', async (t) => {
  const receiver = await startWebhookReceiver(t, (response) => response.writeHead(500).end());
  const { deps, job } = stage({ url: receiver.url });
  const metrics = noMetrics();
  for (const attempt of [1, 4, 5, 9]) {
    await notify({ ...deps, metrics }, { ...job, attempt }, first);
    assert.equal(metrics.total('hooks-failing'), Math.max(0, [1, 4, 5, 9].indexOf(attempt) - 1), `attempt ${attempt}`);
  }
});

test('a hook that is no longer configured is not told, nor one of a message that was deleted; the log says why', async () => {
  const { deps, job } = stage({ url: 'https://receiver.example/' });
  assert.deepEqual(await notify(deps, { ...job, hook: 'another' }, first), { outcome: 'gone' });
  await deps.store.delete(key);
  assert.deepEqual(await notify(deps, job, first), { outcome: 'deleted' });
  assert.deepEqual(
    deps.log.entries.map(({ level, event, fields }) => [level, event, fields?.['hook'], fields?.['key']]),
    [
      ['warn', 'hook-gone', 'another', key],
      ['info', 'hook-mail-deleted', 'tickets', key],
    ],
  );
  assert.deepEqual(deps.jobs.sent, []);
});

test('a message whose stored body is lost or altered was not deleted: its job is a dead letter', async () => {
  const { deps, job } = stage({ url: 'https://receiver.example/' });
  const get = async () => Promise.reject(damagedBody(key, 'missing', 'is not there'));
  await assert.rejects(notify({ ...deps, store: { get } }, job, first), (thrown) => whyHopeless(thrown) !== null);
});

test('a secret that is no base64 is an own fault that names the hook, not the secret', async () => {
  const { deps, job } = stage({ url: 'https://receiver.example/' }, { secrets: { read: async () => 'pass word!' } });
  await assert.rejects(notify(deps, job, first), (error: any) => {
    assert.equal(error.fault, 'secret');
    assert.match(error.message, /^hook tickets: the secret "env:HOOK" cannot be used/);
    assert.doesNotMatch(error.message, /pass word/);
    return true;
  });
});

test('a large message is linked to where links can be made, and readMail fetches it', async (t) => {
  const large = JSON.stringify({ ...message, text: 'x'.repeat(300_000) });
  const link = await startWebhookReceiver(t, (response) => response.end(large));
  const receiver = await startWebhookReceiver(t);
  const linkTo = async () => ({ url: link.url, expiresAt: '2026-11-21T13:00:00.000Z' });
  const { deps, job } = stage({ url: receiver.url }, { linkTo });
  deps.store.seed(key, Buffer.from(large));
  await notify(deps, job, first);
  const payload = JSON.parse(String(receiver.taken[0]?.body));
  const { schema, ...data } = payload.data;
  assert.deepEqual([schema, data.key, data.bytes], ['message-link/1', key, large.length]);
  const [mail] = await readMail(payload);
  assert.equal(await mail?.readText(), 'x'.repeat(300_000));
});
