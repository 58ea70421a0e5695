import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { proxyHeader } from '#test/support/samples/proxy-header.ts';
import { until } from '#test/support/time/until.ts';
import {
  beginMessage,
  openSession,
  type RawClient,
  rawClient,
  startTestListener,
  type TestListener,
  testConfig,
} from '#test/support/worlds/start-test-listener.ts';

async function ready(t: TestContext, listener: Pick<TestListener, 'port'>): Promise<RawClient> {
  const client = await openSession(t, listener);
  await beginMessage(client);
  return client;
}

for (const failing of ['open', 'write', 'commit'] as const) {
  test(`a store that fails at ${failing} is 451 4.3.0 with nothing told but to the log, and the next message gets through`, async (t) => {
    const metrics = noMetrics();
    const { port, intake, log, listener } = await startTestListener(t, testConfig, { metrics });
    intake.failing = failing;
    const client = await ready(t, { port });
    client.write('Subject: x\r\n\r\nhi\r\n.\r\n');
    assert.equal(await client.reply(), '451 4.3.0 Temporary failure here; please try again later');
    assert.equal(intake.messages.length, 0);
    assert.match(String(log.of('store-failed')[0]?.fields['error']), /secret/);
    assert.match(String(log.of('store-failed')[0]?.fields['id']), /^[0-9A-Z]{26}$/);
    assert.notEqual(listener.health().lastStoreFailureAt, null);
    assert.equal(metrics.total('store-failures'), 1);
    await until(() => intake.aborted === (failing === 'open' ? 0 : 1), 'abort');
    assert.equal(listener.health().bytesInFlight, 0);
    intake.failing = 'nothing';
    await beginMessage(client);
    client.write('hi\r\n.\r\n');
    assert.match((await client.reply()) ?? '', /^250 2\.6\.0/);
    assert.equal(intake.messages.length, 1);
    assert.notEqual(listener.health().lastStoredAt, null);
  });
}

for (const fails of ['the store', 'what is asked before'] as const) {
  test(`behind a load balancer that speaks PROXY v2 a fault of ${fails} is counted for the alarm, a health check is not`, async (t) => {
    const metrics = noMetrics();
    const boom = async (): Promise<never> => {
      throw new Error('secret cause');
    };
    const deps = { metrics, isBehindProxy: true, greetingDelayMs: 0, srsSecret: boom };
    const { port, intake } = await startTestListener(t, testConfig, deps);
    const check = rawClient(port('mx'));
    t.after(check.close);
    check.write(proxyHeader(0x20, 0, Buffer.alloc(0)));
    assert.match((await check.reply()) ?? '', /^220/);
    check.close();
    if (fails === 'the store') intake.failing = 'commit';
    const client = rawClient(port('mx'));
    t.after(client.close);
    client.write(proxyHeader(0x21, 0x11, Buffer.from([192, 0, 2, 1, 198, 51, 100, 2, 0x30, 0x39, 0, 25])));
    assert.match((await client.reply()) ?? '', /^220/);
    await client.say('EHLO client.test');
    assert.equal(metrics.total('store-failures'), 0);
    if (fails === 'the store') {
      await beginMessage(client);
      assert.match(await client.say('hi\r\n.'), /^451 4\.3\.0/);
    } else {
      await client.say('MAIL FROM:<>');
      assert.match(await client.say('RCPT TO:<SRS0=AAAAAAAA=AA=x.test=a@example.test>'), /^451 4\.3\.0/);
    }
    assert.equal(metrics.total('store-failures'), 1);
  });
}

test('a fault of the platform behind any command is 451 4.3.0, and its cause is in the log alone', async (t) => {
  const boom = async (): Promise<never> => {
    throw new Error('secret cause');
  };
  const metrics = noMetrics();
  const { port, config, log } = await startTestListener(t, testConfig, { srsSecret: boom, metrics });
  const client = await openSession(t, { port });
  await client.say('MAIL FROM:<>');
  assert.match(await client.say('RCPT TO:<SRS0=AAAAAAAA=AA=x.test=a@example.test>'), /^451 4\.3\.0/);
  assert.match(await client.say('RCPT TO:<support@example.test>'), /^250/);
  await client.say('RSET');
  Object.assign(config, { current: boom });
  assert.match(await client.say('MAIL FROM:<>'), /^451 4\.3\.0/);
  assert.match(String(log.of('smtp-fault')[0]?.fields['error']), /secret cause/);
  assert.equal(metrics.total('store-failures'), 2, 'the alarm counts it');
});

test('a client that goes in the middle of a message leaves nothing behind', async (t) => {
  const { port, intake, listener } = await startTestListener(t);
  const client = await ready(t, { port });
  client.write(`Subject: x\r\n\r\n${'x'.repeat(10_000)}\r\n`);
  await until(() => listener.health().bytesInFlight > 0, 'bytes in flight');
  client.close();
  await until(() => intake.aborted === 1 && listener.health().connections === 0, 'abort');
  assert.equal(intake.messages.length, 0);
  assert.equal(listener.health().bytesInFlight, 0);
});

test('a client that half-closes in the middle of a message is not taken to have ended it', async (t) => {
  const { port, intake } = await startTestListener(t);
  const client = await ready(t, { port });
  client.socket().end('Subject: x\r\n\r\nhi\r\n.');
  await until(() => intake.aborted === 1, 'abort');
  assert.equal(intake.messages.length, 0);
});

test('a slow store holds the sender back, and memory does not grow with the message', async (t) => {
  const { port, intake } = await startTestListener(t, { ...testConfig, limits: { messageBytes: 500_000_000 } });
  intake.keepBytes = false;
  const client = await ready(t, { port });
  let open: () => void = () => {};
  intake.gate = new Promise((resolve) => {
    open = resolve;
  });
  const chunk = Buffer.alloc(1_048_576, `${'x'.repeat(62)}\r\n`);
  const socket = client.socket();
  let sent = 0;
  const pump = () => {
    while (sent < 100) {
      sent += 1;
      if (!socket.write(chunk)) {
        socket.once('drain', pump);
        return;
      }
    }
    socket.write('.\r\n');
  };
  pump();
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.ok(sent < 20, `${sent} MiB went through a store that takes nothing`);
  const before = process.memoryUsage().rss;
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 10);
  intake.gate = null;
  open();
  assert.match((await client.reply()) ?? '', /^250 2\.6\.0/);
  clearInterval(watch);
  const fieldBytes = Number(intake.messages[0]?.job.raw.bytes) - 104_857_600;
  assert.ok(fieldBytes > 0 && fieldBytes < 1_000);
  assert.ok(peak - before < 64 * 1_048_576, `${Math.round((peak - before) / 1_048_576)} MiB more`);
});

for (const { title, limits, memory } of [
  { title: 'the bytes in flight', limits: { bytesInFlight: 100_000 }, memory: {} },
  { title: 'their share of the memory', limits: {}, memory: { memoryBytes: 1_200_000 } },
]) {
  test(`messages that together exceed ${title} wait for each other, and all get through`, async (t) => {
    const { port, intake, listener } = await startTestListener(t, { ...testConfig, limits }, memory);
    const text = `${'x'.repeat(62)}\r\n`.repeat(1_500); // 96,000 octets
    const clients = await Promise.all(Array.from({ length: 8 }, () => ready(t, { port })));
    for (const client of clients) client.write(text.slice(0, 60_000));
    await until(() => listener.health().bytesInFlight > 90_000, 'a full budget');
    assert.ok(listener.health().bytesInFlight < 250_000);
    for (const client of clients) client.write(`${text.slice(60_000)}.\r\n`);
    for (const client of clients) assert.match((await client.reply()) ?? '', /^250 2\.6\.0/);
    assert.equal(intake.messages.length, 8);
    assert.equal(listener.health().bytesInFlight, 0);
  });
}
