import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createByteBudget } from '#container/intake/byte-budget.ts';
import { createConnectionCounts, createFailureTable, createRate, limitFor } from '#container/limits/limits.ts';
import { createPace } from '#container/session/pace.ts';
import { peerOf } from '#mail/address/peer-address.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { until } from '#test/support/time/until.ts';
import {
  beginMessage,
  openSession,
  rawClient,
  startTestListener,
  testConfig,
} from '#test/support/worlds/start-test-listener.ts';

const message = 'MAIL FROM:<a@sender.test>\r\nRCPT TO:<support@example.test>\r\nDATA\r\nhi\r\n.\r\n';

test('a client beyond those allowed for its address is turned away with 421, and let in when one has left', async (t) => {
  const { port, listener } = await startTestListener(t, { ...testConfig, limits: { connectionsPerIp: 2 } });
  const first = await openSession(t, { port });
  await openSession(t, { port });
  const third = rawClient(port('mx'));
  assert.match((await third.reply()) ?? '', /^421 4\.7\.0 Too many connections from your address/);
  assert.equal(await third.reply(), null);
  first.close();
  await until(() => listener.health().connections === 1, 'a place');
  await openSession(t, { port });
});

test('connections are limited in all, over all roles, before TLS is spent on them', async (t) => {
  const { port } = await startTestListener(t, { ...testConfig, limits: { connections: 1 } });
  await openSession(t, { port });
  const second = rawClient(port('submission'));
  assert.match((await second.reply()) ?? '', /^421 4\.3\.2/);
  assert.equal(await rawClient(port('submissions')).reply(), null);
});

test('messages a minute are limited by address; the session goes on', async (t) => {
  const { port } = await startTestListener(t, { ...testConfig, limits: { messagesPerMinutePerIp: 2 } });
  const client = await openSession(t, { port });
  for (let sent = 0; sent < 2; sent++) {
    client.write(message);
    for (let replies = 0; replies < 4; replies++) assert.match((await client.reply()) ?? '', /^[23]5/);
  }
  assert.match(await client.say('MAIL FROM:<a@sender.test>'), /^450 4\.7\.1/);
  assert.match(await client.say('NOOP'), /^250/);
});

test('transactions of one connection are limited, and told in EHLO (RFC 9422)', async (t) => {
  const { port } = await startTestListener(t, { ...testConfig, limits: { transactionsPerConnection: 1 } });
  const client = await openSession(t, { port });
  assert.match(client.offers, /LIMITS RCPTMAX=100 MAILMAX=1/);
  await client.say('MAIL FROM:<>');
  await client.say('RSET');
  assert.match(await client.say('MAIL FROM:<>'), /^421 4\.7\.0/);
});

test('a client that says nothing is told so and dropped, and so is one that drips a command', async (t) => {
  const { port } = await startTestListener(t, { ...testConfig, limits: { idleSeconds: 1 } });
  const [silent, dripping] = [await openSession(t, { port }), await openSession(t, { port })];
  const drip = setInterval(() => dripping.write('N'), 50);
  t.after(() => clearInterval(drip));
  assert.match((await silent.reply()) ?? '', /^421 4\.4\.2/);
  assert.match((await dripping.reply()) ?? '', /^421 4\.4\.2/);
});

test('a message that trickles is cut off although the client is never silent', async (t) => {
  const { port, intake } = await startTestListener(t, { ...testConfig, limits: { idleSeconds: 1 } });
  const client = await openSession(t, { port });
  await beginMessage(client);
  const drip = setInterval(() => client.write('x'), 50);
  t.after(() => clearInterval(drip));
  assert.match((await client.reply()) ?? '', /^421 4\.4\.2/);
  assert.equal(intake.messages.length, 0);
});

test('a session has an end however busy it is', async (t) => {
  const { port } = await startTestListener(t, { ...testConfig, limits: { sessionSeconds: 1 } });
  const client = await openSession(t, { port });
  let last = '';
  for (let reply = await client.say('NOOP'); reply !== ''; reply = await client.say('NOOP')) last = reply;
  assert.match(last, /^421 4\.4\.2/);
});

test('who speaks before the greeting is turned away', async (t) => {
  const { port } = await startTestListener(t, testConfig, { greetingDelayMs: 300 });
  const client = rawClient(port('mx'));
  client.write('EHLO client.test\r\n');
  assert.match((await client.reply()) ?? '', /^554 5\.5\.1/);
  assert.equal(await client.reply(), null);
});

test('names are not guessed for ever', async (t) => {
  const { port } = await startTestListener(t, { ...testConfig, limits: { recipients: 1 } });
  const client = await openSession(t, { port });
  await client.say('MAIL FROM:<>');
  for (let guess = 0; guess < 20; guess++) {
    assert.match(await client.say(`RCPT TO:<guess${guess}@example.test>`), /^550 5\.1\.1/);
  }
  assert.match(await client.say('RCPT TO:<guess@example.test>'), /^421 4\.7\.0/);
});

test('recipients that do not fit into one job are for the next message (SQS takes 1 MiB)', async (t) => {
  const domain = `${Array.from({ length: 3 }, () => 'x'.repeat(60)).join('.')}.test`;
  const { port, intake } = await startTestListener(t, {
    ...testConfig,
    domains: { [domain]: { mailboxes: ['support'] } },
    limits: { recipients: 1_000, transactionsPerConnection: 10 },
  });
  const client = await openSession(t, { port });
  let left = Array.from({ length: 1_000 }, (_, n) => `support+${'x'.repeat(50)}${n}@${domain}`);
  for (let message = 1; message <= 2; message++) {
    await client.say('MAIL FROM:<a@sender.test>');
    const orcpt = `rfc822;${'y'.repeat(480)}@example.test`;
    const replies: string[] = [];
    for (const address of left) replies.push(await client.say(`RCPT TO:<${address}> ORCPT=${orcpt}`));
    assert.match(replies[0] ?? '', /^250/);
    for (const reply of replies) assert.match(reply, /^250 2\.1\.5|^452 4\.5\.3/);
    assert.equal(replies.at(-1)?.slice(0, 3), message === 1 ? '452' : '250');
    left = left.filter((_, n) => replies[n]?.startsWith('452'));
    await client.say('DATA');
    assert.match(await client.say('hi\r\n.'), /^250/);
  }
  assert.deepEqual(left, []);
  const { messages } = intake;
  assert.equal(messages.flatMap(({ job }) => job.envelope.recipients).length, 1_000);
  for (const { job } of messages) assert.ok(JSON.stringify(job).length < 900_000);
});

test('the defaults are for strangers: a client on this machine is held to what somebody set', () => {
  const { limits } = configSchema.parse({});
  const [here, there] = [peerOf('::ffff:127.0.0.1'), peerOf('192.0.2.1')];
  assert.equal(limitFor(limits, 'messagesPerMinutePerIp', here), Number.POSITIVE_INFINITY);
  assert.equal(limitFor(limits, 'messagesPerMinutePerIp', there), limits.messagesPerMinutePerIp);
  assert.equal(limitFor({ ...limits, messagesPerMinutePerIp: 7 }, 'messagesPerMinutePerIp', here), 7);
});

for (const [address, ip, group] of [
  ['::ffff:192.0.2.1', '192.0.2.1', '192.0.2.1'],
  ['2001:DB8:0:1:2:3:4:5', '2001:db8:0:1:2:3:4:5', '2001:db8:0:1::/64'],
  ['2001:db8::1', '2001:db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80::1', 'fe80:0:0:0::/64'],
  ['::1', '::1', '0:0:0:0::/64'],
] as const) {
  test(`the peer ${address} is ${ip}, limited as ${group}`, () => {
    const peer = peerOf(address);
    assert.deepEqual([peer.ip, peer.group], [ip, group]);
  });
}

test('a rate holds a minute of messages and fills up with time; its table does not grow for ever', () => {
  let now = 0;
  const rate = createRate(() => now);
  assert.deepEqual([rate.take('a', 2), rate.take('a', 2), rate.take('a', 2), rate.take('b', 2)], [0, 0, 30, 0]);
  now = 30_000;
  assert.deepEqual([rate.take('a', 2), rate.take('a', 2)], [0, 30]);
  for (let key = 0; key < 60_000; key++) rate.take(`k${key}`, 2);
  assert.equal(rate.take('a', 2), 0); // forgotten, so a full bucket again
});

test('failed log-ins cost more and more time, up to a bound, until they are forgotten', () => {
  let now = 0;
  const failures = createFailureTable(() => now);
  const delays: number[] = [];
  for (let count = 0; count < 10; count++) {
    delays.push(failures.delayMs('a'));
    failures.failed('a');
  }
  assert.deepEqual(delays, [0, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
  assert.equal(failures.delayMs('b'), 0);
  now = 900_000;
  assert.equal(failures.delayMs('a'), 0);
});

test('a place is given back once, however often it is released', () => {
  const counts = createConnectionCounts();
  const place = counts.take('a', { perGroup: 1, total: 2 });
  assert.ok(place.outcome === 'taken');
  assert.equal(counts.take('a', { perGroup: 1, total: 2 }).outcome, 'group');
  assert.equal(counts.take('b', { perGroup: 1, total: 1 }).outcome, 'total');
  place.release();
  place.release();
  assert.equal(counts.total(), 0);
});

test('the byte budget lets one waiting message over its limit, so that nobody waits for ever', async () => {
  const budget = createByteBudget(() => 100);
  const [a, b, c] = [budget.open(), budget.open(), budget.open()];
  assert.equal(a.take(60), undefined);
  assert.equal(b.take(40), undefined);
  const first = a.take(30);
  assert.ok(first);
  await first; // the privileged one
  let isThrough = false;
  const second = b.take(10)?.then(() => {
    isThrough = true;
  });
  assert.equal(a.take(50), undefined);
  await Promise.resolve();
  assert.equal(isThrough, false);
  a.release();
  await second;
  assert.equal(c.take(20), undefined);
  b.release();
  b.release();
  c.release();
  assert.equal(budget.used(), 0);
});

test('one message takes 8 MiB of the budget at most: the store writes larger ones through', () => {
  const budget = createByteBudget(() => 100_000_000);
  const share = budget.open();
  for (let part = 0; part < 100; part++) assert.equal(share.take(1_048_576), undefined);
  assert.equal(budget.used(), 8_388_608);
});

test('the pace of a message is judged over each idle time, not since its beginning', () => {
  let now = 0;
  const pace = createPace(() => now);
  const judge = () => pace.judge({ idleSeconds: 10, sessionSeconds: 100, isInMessage: true })?.text ?? null;
  pace.messageBegins();
  pace.messageBytes(1_000_000);
  now = 10_000;
  assert.equal(judge(), null);
  now = 20_000;
  assert.equal(judge(), 'The message came too slowly');
});
