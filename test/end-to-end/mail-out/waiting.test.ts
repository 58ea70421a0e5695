// What waits costs nothing and is in nobody's way: thousands of deferred messages beside a service that has nothing to do, and
// mail for other destinations while one of them is down.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { openEmbedded } from '#local/embedded/open-embedded.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import { type DeliverJob, deliverJobSchema } from '#pipeline/contract/jobs.ts';
import { rawKey } from '#pipeline/contract/keys.ts';
import { startCountingMx } from '#test/support/peers/counting-mx.ts';
import { peerOptions } from '#test/support/peers/peers.ts';
import { amount } from '#test/support/time/soak.ts';
import { sharedStopwatch } from '#test/support/time/stopwatch.ts';
import { eventually } from '#test/support/worlds/local-service.ts';
import { type SendingService, startSending } from '#test/support/worlds/sending-service.ts';

const waiting = amount(3_000, 10_000);
const due = 300;

test(
  `${waiting} deferred messages cost nothing while they wait, and slow nobody`,
  peerOptions('dnsmasq'),
  async (t) => {
    const mx = await startCountingMx({ ip: '127.0.7.1' });
    const service = await startSending({
      port: mx.port,
      zone: { a: { 'up.test': '127.0.7.1', 'down.test': '127.0.7.2', 'later.test': '127.0.7.1' } },
      config: { delivery: { retrySeconds: [300] } },
      prepare: async (folder) => {
        await queue(folder, { domains: ['later.test'], count: waiting, notBeforeMs: Date.now() + 3_600_000 });
        await queue(folder, { domains: ['down.test'], count: due, notBeforeMs: Date.now() });
      },
    });
    t.after(async () => {
      await service.close();
      await mx.close();
    });

    const usual = await roundTrips(service, 15);
    assert.ok(usual < 1_000, `a message for another destination took ${usual} ms`);
    await eventually('what was due has had its turn', async () => {
      const deliver = await deliverQueue(service);
      return deliver.ready + deliver.inFlight === 0;
    });
    assert.equal((await deliverQueue(service)).delayed, waiting + due);
    await quiet(service);
    // What the runtime tidies up after the start is not the waiting's: the quietest of three windows counts.
    const windows = [await cpuOfWindow(service), await cpuOfWindow(service), await cpuOfWindow(service)];
    const used = Math.min(...windows);
    t.diagnostic(`${used.toFixed(1)} ms of CPU in 1.5 s with ${waiting + due} messages waiting`);
    assert.ok(used < 15, `${windows.join(', ')} ms of CPU in 1.5 s each`);
    assert.equal(mx.bySubject.get('queued') ?? 0, 0);
  },
);

async function cpuOfWindow(service: Parameters<typeof cpuMs>[0]): Promise<number> {
  const before = cpuMs(service);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  return cpuMs(service) - before;
}

test('a dozen destinations that do not answer keep nobody else waiting', peerOptions('dnsmasq'), async (t) => {
  const mx = await startCountingMx({ ip: '127.0.7.3' });
  const silent = Array.from({ length: 12 }, (_, n) => `silent${n}.test`);
  const mutes = silent.map(() => createServer(() => {}));
  await Promise.all(
    mutes.map((mute, n) => new Promise<void>((resolve) => mute.listen(mx.port, `127.0.7.${20 + n}`, resolve))),
  );
  const service = await startSending({
    port: mx.port,
    zone: {
      a: { 'up.test': '127.0.7.3', ...Object.fromEntries(silent.map((domain, n) => [domain, `127.0.7.${20 + n}`])) },
    },
    config: { delivery: { attemptSeconds: 60 } },
    prepare: async (folder) => {
      await queue(folder, { domains: silent, count: 10, notBeforeMs: Date.now() });
    },
  });
  t.after(async () => {
    await service.kill();
    await service.close();
    await mx.close();
    for (const mute of mutes) mute.close();
  });
  await eventually('all of them are tried', async () => (await deliverQueue(service)).inFlight >= 40);
  const usual = await roundTrips(service, 5);
  assert.ok(usual < 1_500, `a message for another destination took ${usual} ms`);
  // Those that found all slots of their host taken are back on the queue; each host still keeps somebody waiting.
  assert.ok((await deliverQueue(service)).inFlight >= silent.length, 'while those hosts were still waited for');
});

test(
  'a smarthost that takes its time gets the mail for a hundred domains as fast as it takes it',
  peerOptions('dnsmasq'),
  async (t) => {
    const mx = await startCountingMx({ ip: '127.0.0.1', pauseMs: 50 });
    const smarthost = { host: '127.0.0.1', port: mx.port, tls: 'none' as const };
    const domains = Array.from({ length: 100 }, (_, n) => `d${n}.test`);
    const service = await startSending({
      config: { delivery: { mode: 'smarthost', smarthost, attemptSeconds: 60, retrySeconds: [300] } },
      prepare: async (folder) => {
        await queue(folder, { domains, count: 3, notBeforeMs: Date.now() });
      },
    });
    t.after(async () => {
      await service.close();
      await mx.close();
    });
    const elapsedMs = sharedStopwatch();
    await eventually('all are there', () => mx.count() === 300, 60);
    const seconds = elapsedMs() / 1_000; // 300 messages of 50 ms over 5 connections: 3 s
    assert.ok(seconds < 8, `it took ${seconds.toFixed(1)} s`);
  },
);

test(
  '300 mails for 30 domains of a host that never greets keep nobody waiting: 40 other domains get theirs at once',
  peerOptions('dnsmasq'),
  async (t) => {
    const mx = await startCountingMx({ ip: '127.0.7.5' });
    const mute = createServer((socket) => void socket.resume());
    let most = 0;
    mute.on('connection', () =>
      mute.getConnections((_error, count) => {
        most = Math.max(most, count);
      }),
    );
    await new Promise<void>((resolve) => mute.listen(mx.port, '127.0.7.6', resolve));
    const silent = Array.from({ length: 30 }, (_, n) => `silent${n}.test`);
    const well = Array.from({ length: 40 }, (_, n) => `well${n}.test`);
    const service = await startSending({
      port: mx.port,
      zone: {
        mx: Object.fromEntries(silent.map((domain) => [domain, ['10 mx.silent.test']])),
        a: { 'mx.silent.test': '127.0.7.6', ...Object.fromEntries(well.map((domain) => [domain, '127.0.7.5'])) },
      },
      config: { delivery: { attemptSeconds: 600, retrySeconds: [300] } },
      prepare: async (folder) => {
        await queue(folder, { domains: silent, count: 10, notBeforeMs: Date.now() });
      },
    });
    t.after(async () => {
      await service.kill();
      await service.close();
      await mx.close();
      mute.close();
    });
    await eventually('all of the first have had their turn', async () => (await deliverQueue(service)).delayed >= 290);
    const elapsedMs = sharedStopwatch();
    await Promise.all(well.map((domain) => service.submit({ to: [`x@${domain}`] })));
    await eventually('all others have theirs', () => mx.count() === 40);
    const took = elapsedMs();
    assert.ok(took < 3_000, `the last of 40 took ${took} ms`);
    assert.ok(most <= 5, `${most} connections at the silent host`);
    await eventually('hardly a worker is kept', async () => (await deliverQueue(service)).inFlight <= 10);
  },
);

/** The median time from submission to arrival, in milliseconds. */
async function roundTrips(service: SendingService, count: number): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    const elapsedMs = sharedStopwatch();
    const id = await service.submit({ to: ['x@up.test'] });
    await service.whenDelivery(id, 'delivered');
    times.push(elapsedMs());
  }
  return times.sort((a, b) => a - b)[Math.floor(count / 2)]!;
}

async function deliverQueue(service: SendingService): Promise<any> {
  const queues: any[] = await service.json('/api/queues');
  return queues.find(({ name }) => name === 'deliver');
}

/** Waits until what came before (idle connections, sessions) is over: three looks with hardly any CPU between them. */
async function quiet(service: SendingService): Promise<void> {
  let last = cpuMs(service);
  let calm = 0;
  await eventually('the process has nothing to do', async () => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const now = cpuMs(service);
    calm = now - last < 10 ? calm + 1 : 0;
    last = now;
    return calm >= 3;
  });
}

/** CPU time of all threads of the process, in milliseconds (Linux). */
function cpuMs({ child }: SendingService): number {
  const tasks = `/proc/${child.pid}/task`;
  const times = readdirSync(tasks).map((task) =>
    Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  return times.reduce((sum, ns) => sum + ns, 0) / 1_000_000;
}

async function queue(
  folder: string,
  { domains, count, notBeforeMs }: { domains: readonly string[]; count: number; notBeforeMs: number },
): Promise<void> {
  const world = await openEmbedded({ folder, clock: Date.now });
  const newMessageId = messageIdFactory();
  const receivedAt = new Date().toISOString();
  const notBefore = new Date(notBeforeMs).toISOString();
  const body = Buffer.from('From: <app@sender.example>\r\nSubject: queued\r\n\r\nHello.\r\n');
  const work = Array.from({ length: count * domains.length }, async (_, n) => {
    const domain = domains[n % domains.length]!;
    const id = newMessageId(Date.now());
    const key = rawKey({ id, receivedAt });
    await world.store.put({ key, body, contentType: 'message/rfc822' });
    const job: DeliverJob = deliverJobSchema.parse({
      version: 1,
      id,
      receivedAt,
      raw: { key, bytes: body.length, sha256: '0'.repeat(64) },
      session: {
        role: 'submission',
        clientIp: null,
        clientName: null,
        helo: null,
        tls: null,
        user: 'app@sender.example',
      },
      reversePath: 'app@sender.example',
      bodyType: '7bit',
      smtpUtf8: false,
      requireTls: false,
      dsn: { ret: null, envid: null },
      domain,
      recipients: [{ forwardPath: `b@${domain}`, dsn: { notify: null, orcpt: null }, originalForwardPath: null }],
      signingDomain: null,
      attempt: 1,
      firstAttemptAt: null,
      expiresAt: new Date(Date.now() + 432_000_000).toISOString(),
    });
    await world.jobs.send('deliver', job, { notBefore, group: domain });
  });
  await Promise.all(work);
  await world.close();
}
