// Chaos between a client and the listener: what a client is told at each stage, what is stored, and what is on record.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { type Chaos, createChaos } from '#container/chaos/chaos.ts';
import { isProblem } from '#mail/problem.ts';
import { parseChaos } from '#pipeline/chaos/fault-words.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { until } from '#test/support/time/until.ts';
import { openSession, rawClient, startTestListener } from '#test/support/worlds/start-test-listener.ts';

/** `words`: the settings. `random`: draws in order, then 0.999. */
async function start(
  t: TestContext,
  { words = 'on', random = [], config = {} }: { words?: string; random?: number[]; config?: ConfigInput } = {},
) {
  const log = silentLog();
  const metrics = noMetrics();
  const sleeps: { readonly ms: number; readonly wake: () => void }[] = [];
  const chaos: Chaos = createChaos({
    random: () => random.shift() ?? 0.999,
    clock: Date.now,
    log,
    metrics,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve());
        sleeps.push({ ms, wake: resolve });
      }),
  });
  const settings = parseChaos(words);
  assert.ok(!isProblem(settings));
  chaos.set(settings);
  const listener = await startTestListener(t, { mode: 'capture', hostname: 'mx.example.test', ...config }, { chaos });
  return { ...listener, chaos, chaosLog: log, metrics, sleeps };
}

const said = (text: string) => `Chaos: refused on purpose, ${text}`;

/** A message up to its end; the last reply, empty if the connection was dropped. */
async function sendTo(
  client: Awaited<ReturnType<typeof openSession>>,
  recipient: string,
  sender = 'app@sender.test',
): Promise<string> {
  for (const line of [`MAIL FROM:<${sender}>`, `RCPT TO:<${recipient}>`]) {
    const reply = await client.say(line);
    if (!reply.startsWith('2')) return reply;
  }
  const data = await client.say('DATA');
  return data.startsWith('354') ? client.say('Subject: hi\r\n\r\nhello\r\n.') : data;
}

describe('an address that asks for a refusal is told so, and nothing of its message is stored', () => {
  for (const [recipient, reply] of [
    ['bounce-550@a.test', `550 5.1.1 ${said('as bounce-550 asks')}`],
    ['bounce-552+run1@a.test', `552 5.2.2 ${said('as bounce-552 asks')}`],
    ['bounce-550-5.7.26@a.test', `550 5.7.26 ${said('as bounce-550-5.7.26 asks')}`],
    ['later@a.test', `451 4.3.0 ${said('as later asks')}`],
    ['bounce-599@a.test', `599 5.0.0 ${said('as bounce-599 asks')}`],
    ['data-552@a.test', `552 5.3.4 ${said('as data-552 asks')}`],
    ['later-end@a.test', `451 4.3.0 ${said('as later-end asks')}`],
    ['drop@a.test', ''],
    ['drop-data@a.test', ''],
    ['drop-end@a.test', ''],
  ] as const) {
    test(`${recipient}: ${reply === '' ? 'the connection is dropped' : reply.slice(0, 10)}`, async (t) => {
      const { intake, chaos, port, chaosLog, metrics } = await start(t);
      const client = await openSession(t, { port });
      assert.equal(await sendTo(client, recipient), reply);
      assert.equal(intake.messages.length, 0);
      const [outcome, ...others] = chaos.recent();
      assert.deepEqual(others, []);
      assert.deepEqual(
        { reply: outcome?.reply, dropped: outcome?.dropped, id: outcome?.id, recipient: outcome?.recipient },
        { reply: reply === '' ? null : reply, dropped: reply === '', id: null, recipient },
      );
      assert.equal(chaosLog.of('chaos-fault')[0]?.fields['recipient'], recipient);
      assert.equal(metrics.total('chaos-faults'), 1);
      if (reply === '') return;
      // The session goes on: what was refused is forgotten. After RCPT the transaction is still the client's to end.
      await client.say('RSET');
      assert.match(await sendTo(client, 'ann@a.test'), /^250 2\.6\.0/);
      assert.equal(intake.messages.length, 1);
    });
  }
});

test('a sender asks for a fault at MAIL with that word alone, so that senders of real bounces are none', async (t) => {
  const { port } = await start(t);
  const client = await openSession(t, { port });
  assert.equal(await sendTo(client, 'ann@a.test', 'mail-553@a.test'), `553 5.1.7 ${said('as mail-553 asks')}`);
  assert.match(await sendTo(client, 'ann@a.test', 'bounce-550@a.test'), /^250 /);
});

test('421 says so and closes the connection (RFC 5321 §3.8)', async (t) => {
  const { port } = await start(t);
  const client = await openSession(t, { port });
  assert.equal(await sendTo(client, 'later-421@a.test'), `421 4.3.2 ${said('as later-421 asks')}`);
  assert.equal(await client.reply(), null);
});

test('later-451-twice is refused twice over several sessions, then accepted with both on its trace, then begins anew', async (t) => {
  const { port, intake, chaos } = await start(t);
  const send = async (recipient: string) => sendTo(await openSession(t, { port }), recipient);
  assert.match(await send('later-451-twice@a.test'), /1 of 2$/);
  assert.match(await send('later-451-twice+other@a.test'), /1 of 2$/);
  assert.match(await send('Later-451-Twice@a.test'), /2 of 2$/);
  assert.match(await send('later-451-twice@a.test'), /^250 /);
  const id = intake.messages[0]?.job.id;
  assert.ok(id !== undefined);
  const faults = chaos.of(id);
  assert.deepEqual(
    faults.map(({ recipient, why }) => `${recipient} ${why}`.toLowerCase()),
    ['1', '2'].map((n) => `later-451-twice@a.test as later-451-twice asks, ${n} of 2`),
  );
  assert.match(await send('later-451-twice@a.test'), /1 of 2$/);
});

test('one recipient is refused and the other gets the message, with the refusal on its trace', async (t) => {
  const { port, intake, chaos } = await start(t);
  const client = await openSession(t, { port });
  await client.say('MAIL FROM:<app@sender.test>');
  assert.match(await client.say('RCPT TO:<bounce-550@a.test>'), /^550 /);
  assert.match(await client.say('RCPT TO:<ann@a.test>'), /^250 /);
  assert.match(await client.say('DATA'), /^354/);
  assert.match(await client.say('Subject: hi\r\n\r\nhello\r\n.'), /^250 /);
  const [message] = intake.messages;
  assert.deepEqual(
    message?.job.envelope.recipients.map(({ forwardPath }) => forwardPath),
    ['ann@a.test'],
  );
  assert.equal(chaos.of(message?.job.id ?? ('' as never)).length, 1);
});

test('DATA after chaos refused all recipients has no valid recipients, as of any server', async (t) => {
  const { port } = await start(t);
  const client = await openSession(t, { port });
  await client.say('MAIL FROM:<app@sender.test>');
  await client.say('RCPT TO:<bounce@a.test>');
  assert.equal(await client.say('DATA'), '554 5.5.1 No valid recipients');
});

test('a refusal of BDAT reads the octets behind it, and the next command is understood (RFC 3030 §2)', async (t) => {
  const { port, intake } = await start(t);
  const client = await openSession(t, { port });
  for (const [recipient, reply] of [
    ['data-451@a.test', /^451 .*as data-451 asks$/],
    ['end-552@a.test', /^552 .*as end-552 asks$/],
    ['ann@a.test', /^250 /],
  ] as const) {
    await client.say('MAIL FROM:<app@sender.test>');
    await client.say(`RCPT TO:<${recipient}>`);
    assert.match(await client.say('BDAT 15 LAST\r\nRCPT TO:<x@y>'), reply);
    assert.match(await client.say('NOOP'), /^250 /);
  }
  assert.equal(intake.messages.length, 1);
});

describe('by chance', () => {
  test('each stage draws once, and the first chance that fits is done', async (t) => {
    const { port } = await start(t, { words: 'rcpt-451-10% rcpt-550-20%', random: [0.05, 0.1, 0.2999, 0.3] });
    const client = await openSession(t, { port });
    await client.say('MAIL FROM:<app@sender.test>');
    const replies: string[] = [];
    for (let n = 0; n < 4; n++) replies.push((await client.say('RCPT TO:<ann@a.test>')).slice(0, 9));
    assert.deepEqual(replies, ['451 4.3.0', '550 5.1.1', '550 5.1.1', '250 2.1.5']);
  });

  test('the same seed draws the same, whatever the machine; another seed draws others', async (t) => {
    const draw = async (words: string) => {
      const { port } = await start(t, { words });
      const client = await openSession(t, { port });
      await client.say('MAIL FROM:<app@sender.test>');
      let all = '';
      for (let n = 0; n < 16; n++) all += (await client.say('RCPT TO:<ann@a.test>')).slice(0, 1);
      return all;
    };
    const seven = await draw('rcpt-451-50% seed-7');
    assert.equal(seven, '4422244422442244');
    assert.equal(await draw('rcpt-451-50% seed-7'), seven);
    assert.notEqual(await draw('rcpt-451-50% seed-8'), seven);
  });

  for (const [words, stage] of [
    ['helo-502', 'EHLO client.test'],
    ['auth-454', 'AUTH PLAIN AGEAYg=='],
    ['mail-452', 'MAIL FROM:<app@sender.test>'],
  ] as const) {
    test(`${words} refuses ${stage}, with the enhanced code that RFC 2034 §3 allows there`, async (t) => {
      const { port, chaos } = await start(t);
      const client = await openSession(t, { port });
      const settings = parseChaos(words);
      if (!isProblem(settings)) chaos.set(settings);
      const expected = { 'helo-502': '502 Chaos', 'auth-454': '454 4.7.0 Chaos', 'mail-452': '452 4.3.1 Chaos' }[words];
      assert.equal((await client.say(stage)).split(':')[0], expected);
      chaos.set(null);
      assert.match(await client.say(stage), /^2/);
    });
  }

  test('a greeting of 554 leaves QUIT alone to say (RFC 5321 §3.1); one of 421 closes the connection', async (t) => {
    const { port, chaos } = await start(t, { words: 'connect-554' });
    const client = rawClient(port('mx'));
    t.after(client.close);
    assert.equal(await client.reply(), `554 ${said('by a chance of 100 %')}`);
    assert.match(await client.say('EHLO client.test'), /^503 5\.5\.1/);
    assert.match(await client.say('QUIT'), /^221 /);
    const settings = parseChaos('connect-421');
    if (!isProblem(settings)) chaos.set(settings);
    const other = rawClient(port('mx'));
    t.after(other.close);
    assert.match((await other.reply()) ?? '', /^421 Chaos/);
    assert.equal(await other.reply(), null);
  });

  test('chaos that is turned on meets an open session at its next message', async (t) => {
    const { port, chaos } = await start(t);
    chaos.set(null);
    const client = await openSession(t, { port });
    assert.match(await sendTo(client, 'bounce@a.test'), /^250 /);
    const settings = parseChaos('on');
    if (!isProblem(settings)) chaos.set(settings);
    assert.match(await sendTo(client, 'bounce@a.test'), /^550 .*Chaos/);
  });
});

describe('delays', () => {
  test('a slow recipient is answered after its time, and what the client pipelined behind it after that', async (t) => {
    const { port, sleeps, intake, chaos } = await start(t);
    const client = await openSession(t, { port });
    client.write('MAIL FROM:<app@sender.test>\r\nRCPT TO:<slow-10s@a.test>\r\nDATA\r\n');
    assert.match((await client.reply()) ?? '', /^250 /);
    await until(() => sleeps.length === 1, 'the delay');
    assert.equal(sleeps[0]?.ms, 10_000);
    sleeps[0]?.wake();
    assert.match((await client.reply()) ?? '', /^250 /);
    assert.match((await client.reply()) ?? '', /^354 /);
    assert.match(await client.say('hi\r\n.'), /^250 /);
    assert.equal(chaos.of(intake.messages[0]?.job.id ?? ('' as never))[0]?.delaySeconds, 10);
  });

  test('a connection that breaks in a delay is given up at once, and its message is not stored', async (t) => {
    const { port, sleeps, intake, listener, log } = await start(t);
    const client = await openSession(t, { port });
    const sent = sendTo(client, 'slow-end@a.test');
    await until(() => sleeps.length === 1, 'the delay');
    client.socket().resetAndDestroy();
    await until(() => listener.health().connections === 0, 'the end of the session');
    assert.equal(await sent, '');
    assert.equal(listener.health().bytesInFlight, 0);
    assert.equal(intake.messages.length, 0);
    assert.deepEqual(log.of('message-refused'), [], 'nobody was refused');
  });

  test('a client that talks before a delayed greeting is answered after it', async (t) => {
    const { port, sleeps } = await start(t, { words: 'slow-3s-connect' });
    const client = rawClient(port('mx'));
    t.after(client.close);
    await until(() => sleeps.length === 1, 'the delay');
    client.write('NOOP\r\n');
    await new Promise((resolve) => setTimeout(resolve, 20));
    sleeps[0]?.wake();
    assert.match((await client.reply()) ?? '', /^220 /);
    assert.match((await client.reply()) ?? '', /^250 /);
  });

  test('a listener that closes lets nobody wait', async (t) => {
    const { port, sleeps, listener } = await start(t);
    const client = await openSession(t, { port });
    const sent = sendTo(client, 'slow-300s@a.test');
    await until(() => sleeps.length === 1, 'the delay');
    await listener.close(20);
    assert.match(await sent, /^(250|421|$)/);
  });

  test('at most a hundred sessions wait at once; the others go on without the delay', async (t) => {
    const { port, sleeps } = await start(t, {
      words: 'slow-300s-connect',
      config: { limits: { connectionsPerIp: 200 } },
    });
    const clients = Array.from({ length: 101 }, () => rawClient(port('mx')));
    for (const client of clients) t.after(client.close);
    assert.match((await Promise.race(clients.map((client) => client.reply()))) ?? '', /^220 /);
    await until(() => sleeps.length === 100, 'a hundred delays');
  });
});

test('in mode serve chaos is without effect, whatever is set', async (t) => {
  const { port, chaos, config } = await start(t, {
    words: 'rcpt-451 connect-554',
    config: { mode: 'serve', domains: { 'a.test': { mailboxes: ['bounce-550'] } } },
  });
  assert.equal(chaos.inForce(config.config), null);
  const client = await openSession(t, { port });
  assert.match(await sendTo(client, 'bounce-550@a.test'), /^250 /);
  assert.deepEqual(chaos.recent(), []);
});

test('a message of another sender to the same address does not get the earlier faults of this one', async (t) => {
  const { port, intake, chaos } = await start(t, { words: 'rcpt-451', random: [] });
  const client = await openSession(t, { port });
  assert.match(await sendTo(client, 'ann@a.test', 'one@sender.test'), /^451/);
  await client.say('RSET');
  chaos.set({ seed: null, stages: { ...noChances } });
  assert.match(await sendTo(client, 'ann@a.test', 'two@sender.test'), /^250/);
  assert.match(await sendTo(client, 'ann@a.test', 'one@sender.test'), /^250/);
  const [two, one] = intake.messages.map(({ job }) => chaos.of(job.id).length);
  assert.deepEqual({ two, one }, { two: 0, one: 1 });
});

const noChances = { connect: [], helo: [], auth: [], mail: [], rcpt: [], data: [], end: [] };
