// The time a host is given (RFC 5321 §4.5.3.2): what is sent whole is waited for, whatever the attempt has left; a host that keeps reading
// is not cut; and if a run is ended from outside, a message is broken off before its final dot or not at all.
import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createSmtpSocket } from '#functions/deliver/smtp/smtp-socket.ts';
import { finalReplyLimitMs, leaseSeconds, timeoutsOf } from '#functions/deliver/smtp/timeouts.ts';
import { configSchema } from '#pipeline/config/config.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { stages } from '#pipeline/contract/stages.ts';
import { type DeliveryWorld, deliveryWorld } from '#test/functions/deliver/delivery-world.ts';
import { startMx } from '#test/support/peers/scripted-mx.ts';

test('the steps have the minima of RFC 5321 §4.5.3.2, and the answer to a message ten minutes from when it can be there', () => {
  const { attemptSeconds } = configSchema.parse({}).delivery;
  assert.deepEqual(timeoutsOf(attemptSeconds), {
    connectMs: 30_000,
    greetMs: 300_000,
    commandMs: 300_000,
    dataMs: 120_000,
    blockMs: 180_000,
  });
  assert.equal(finalReplyLimitMs(600_000, 0), 600_000);
  assert.ok(
    finalReplyLimitMs(600_000, 8_000_000) >= 1_600_000,
    'eight megabytes at 8 KB/s are on their way for 1,000 s',
  );
});

test('31 MB at 21 KB/s fit into an attempt on one machine, its lease and its run', () => {
  const bytes = 31_000_000;
  const neededSeconds = bytes / 21_000 + 600;
  const given = { bytes, finalReplyMs: 600_000, runEndsAt: null };
  assert.ok(leaseSeconds(configSchema.parse({}).delivery.attemptSeconds, given) > neededSeconds);
  assert.ok((stages.deliver.localTimeoutSeconds ?? 0) > neededSeconds);
});

test('the answer to a message is waited for although the time of the attempt is over: it is sent once', async (t) => {
  const late = Promise.withResolvers<string>();
  const mx = await startMx({
    accept: () => {
      setTimeout(late.resolve, 2_500, '250 2.0.0 taken');
      return late.promise;
    },
  });
  const world = deliveryWorld({ port: mx.port, config: { delivery: { attemptSeconds: 1 } }, finalReplySeconds: 20 });
  t.after(() => Promise.all([mx.close(), world.close()]));
  assert.equal((await world.run(world.job())).outcome, 'delivered');
  assert.equal(mx.mails.length, 1);
});

test('a host that keeps reading is not cut, though its reading takes longer than the attempt', async (t) => {
  const bytes = 12_000_000;
  const peer = await startSlowReader(t, { bytesPerSecond: 4_000_000 });
  const config = { delivery: { attemptSeconds: 2 } };
  const world = deliveryWorld({ port: peer.port, config, finalReplySeconds: 20 });
  t.after(world.close);
  assert.equal((await world.run(world.job({ message: messageOf(bytes) }))).outcome, 'delivered');
  assert.ok(peer.bytes() >= bytes);
});

test('a host is not cut that takes a piece in time, but not as much as the network holds; one that stops is', async (t) => {
  const reader = Promise.withResolvers<Socket>();
  const server = createServer(reader.resolve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const socket = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
  const wire = createSmtpSocket(socket);
  const peer = await reader.promise;
  const reading = setInterval(() => peer.read(), 25); // some 2.6 MB/s
  t.after(() => {
    clearInterval(reading);
    for (const end of [socket, peer]) end.destroy();
    server.close();
  });
  peer.on('error', () => {});
  const limitMs = 1_000;
  let broken = null;
  for (let sent = 0; sent < 10_000_000 && broken === null; sent += 100_000) {
    broken = await wire.writeAndWait(Buffer.alloc(100_000), limitMs);
  }
  assert.equal(broken, null);
  clearInterval(reading);
  while (broken === null) broken = await wire.writeAndWait(Buffer.alloc(100_000), limitMs);
  assert.match(broken.detail, /took nothing for 1\.0 s/);
});

test('if the run would end before the answer, the message is broken off before its dot: no host takes what is sent again', async (t) => {
  const peer = await startSlowReader(t, { bytesPerSecond: 4_000_000 });
  const world = deliveryWorld({ port: peer.port, finalReplySeconds: 5 });
  t.after(world.close);
  const { deliver } = await import('#functions/deliver/deliver.ts');
  const job = world.job({ message: messageOf(24_000_000) });
  const deps = { ...world.deps, runEndsAt: performance.now() + 6_500 };
  assert.equal((await deliver(deps, job, { receiveCount: 1 })).outcome, 'deferred');
  await peer.ended;
  assert.equal(peer.hasDot(), false);
  assert.match(
    world.state(job).recipients[0]!.reason!,
    /too slowly for one run here, so it was broken off before its end/,
  );
});

test('a run that is nearly over begins no message, and the mail goes out with the next', async (t) => {
  const mx = await startMx();
  const world = deliveryWorld({ port: mx.port, finalReplySeconds: 5 });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const { deliver } = await import('#functions/deliver/deliver.ts');
  const job = world.job();
  const outcome = await deliver({ ...world.deps, runEndsAt: performance.now() + 5_000 }, job, { receiveCount: 1 });
  assert.equal(outcome.outcome, 'deferred');
  assert.equal(mx.connections(), 0);
  assert.equal((await world.runNext()).outcome, 'delivered');
});

test('if the answer does not come before the run ends, it is on record that nobody knows, and the run ends by itself', async (t) => {
  const mx = await startMx({ accept: () => null });
  const world = deliveryWorld({ port: mx.port, finalReplySeconds: 0.2 });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const job = world.job({ message: messageOf(2_000_000) });
  assert.equal(await outcomeWithin({ world, job, runMs: 1_500 }), 'deferred');
  assert.equal(mx.mails.length, 1);
  assert.match(world.state(job).recipients[0]!.reason!, /after the whole message was sent: .*may have been delivered/);
});

test('a host that stops answering in its second transaction does not hold the run either', async (t) => {
  let transactions = 0;
  const mx = await startMx({
    offers: ['LIMITS RCPTMAX=1'],
    answer: (line) => (line.startsWith('MAIL') && ++transactions === 2 ? null : undefined),
  });
  const world = deliveryWorld({ port: mx.port, config: { delivery: { attemptSeconds: 1_800 } } });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const job = world.job({ to: ['b@far.example', 'c@far.example'] });
  assert.equal(await outcomeWithin({ world, job, runMs: 3_200 }), 'deferred');
  assert.deepEqual(
    world.state(job).recipients.map(({ state }) => state),
    ['delivered', 'pending'],
  );
});

/** What came of a job in a run of so many milliseconds, or that it was still at it when the run was over. */
async function outcomeWithin(given: { world: DeliveryWorld; job: DeliverJob; runMs: number }): Promise<string> {
  const { world, job, runMs } = given;
  const { deliver } = await import('#functions/deliver/deliver.ts');
  const run = deliver({ ...world.deps, runEndsAt: performance.now() + runMs }, job, { receiveCount: 1 });
  const over = new Promise<string>((resolve) => setTimeout(resolve, runMs + 1_000, 'still at it').unref());
  return Promise.race([run.then(({ outcome }) => outcome), over]);
}

function messageOf(bytes: number): Buffer {
  const line = `${'x'.repeat(98)}\r\n`;
  return Buffer.from(`From: a@sender.example\r\n\r\n${line.repeat(bytes / line.length)}`);
}

/** A host that reads a message so slowly, and answers when it has it all. */
async function startSlowReader(t: TestContext, { bytesPerSecond }: { bytesPerSecond: number }) {
  const seen = { bytes: 0, hasDot: false };
  const ended = Promise.withResolvers<void>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let inData = false;
    let tail = '';
    socket.on('error', () => {}).on('close', () => ended.resolve());
    socket.write('220 slow\r\n');
    socket.on('data', (chunk: Buffer) => {
      if (!inData) {
        for (const line of chunk.toString('latin1').split('\r\n').slice(0, -1)) {
          inData ||= line === 'DATA';
          socket.write(line === 'DATA' ? '354 go\r\n' : '250 fine\r\n');
        }
        return;
      }
      seen.bytes += chunk.length;
      tail = (tail + chunk.toString('latin1')).slice(-5);
      if (tail === '\r\n.\r\n') {
        seen.hasDot = true;
        socket.write('250 2.0.0 taken\r\n');
        return;
      }
      socket.pause();
      setTimeout(() => socket.resume(), (chunk.length / bytesPerSecond) * 1_000);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    bytes: () => seen.bytes,
    hasDot: () => seen.hasDot,
    ended: ended.promise,
  };
}
