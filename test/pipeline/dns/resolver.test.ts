// The resolver against a name server of our own on 127.0.0.1, which counts, fails or stays mute as told; and dnsmasq.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { createResolver, type ResolverOptions } from '#pipeline/dns/resolver.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';
import { freePort } from '#test/support/peers/free-port.ts';
import { findPeer, peerOptions } from '#test/support/peers/peers.ts';
import { stopwatch } from '#test/support/time/stopwatch.ts';
import { eventually } from '#test/support/worlds/local-service.ts';

type Reply = { readonly address: string; readonly ttl: number } | { readonly rcode: number } | 'mute';
type NameServer = {
  readonly server: string;
  readonly asked: string[];
  reply: (name: string) => Reply;
  delayMs: number;
};

const sockets: Socket[] = [];
after(() => {
  for (const socket of sockets) socket.close();
});

async function nameServer(reply: NameServer['reply']): Promise<NameServer> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const server: NameServer = { server: `127.0.0.1:${socket.address().port}`, asked: [], reply, delayMs: 0 };
  socket.on('message', (query, { port }) => {
    const { name, end } = questionOf(query);
    server.asked.push(name);
    const answer = server.reply(name);
    if (answer === 'mute') return;
    const send = (): void => socket.send(answerTo(query, end, answer), port, '127.0.0.1', () => {});
    if (server.delayMs === 0) send();
    else setTimeout(send, server.delayMs).unref();
  });
  return server;
}

function questionOf(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.'), end: at + 5 };
}

/** RFC 1035 §4.1: the header, the question as it came, and one A record that points back at it. */
function answerTo(query: Buffer, end: number, reply: Exclude<Reply, 'mute'>): Buffer {
  const isAnswer = 'address' in reply;
  const header = Buffer.alloc(12);
  header.writeUInt16BE(query.readUInt16BE(0), 0);
  header.writeUInt16BE(0x8180 | (isAnswer ? 0 : reply.rcode), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(isAnswer ? 1 : 0, 6);
  const question = query.subarray(12, end);
  if (!isAnswer) return Buffer.concat([header, question]);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...reply.address.split('.').map(Number)]);
  record.writeUInt32BE(reply.ttl, 6);
  return Buffer.concat([header, question, record]);
}

function resolverOf({ server }: Pick<NameServer, 'server'>, options: Partial<ResolverOptions> = {}) {
  return createResolver({ servers: [server], timeoutMs: 2_000, clock: setClock(), ...options });
}

const failsWith = (code: string) => (error: unknown) =>
  error instanceof Error && 'code' in error && error.code === code;

test('an answer is held as long as its TTL says, and no longer', async () => {
  const dns = await nameServer(() => ({ address: '192.0.2.7', ttl: 20 }));
  const clock = setClock();
  const { resolve } = resolverOf(dns, { clock });
  for (const expected of [1, 1, 1]) {
    assert.deepEqual(await resolve('a.example', 'A'), ['192.0.2.7']);
    assert.equal(dns.asked.length, expected);
    clock.advance(9_000);
  }
  assert.deepEqual(await resolve('A.example.', 'A'), ['192.0.2.7']);
  assert.equal(dns.asked.length, 2);
});

test('an answer with a long TTL is held no longer than configured', async () => {
  const dns = await nameServer(() => ({ address: '192.0.2.7', ttl: 86_400 }));
  const clock = setClock();
  const { resolve } = resolverOf(dns, { clock, answerSeconds: 60 });
  await resolve('a.example', 'A');
  clock.advance(61_000);
  await resolve('a.example', 'A');
  assert.equal(dns.asked.length, 2);
});

test('"no such name" is held for its own time', async () => {
  const dns = await nameServer(() => ({ rcode: 3 }));
  const clock = setClock();
  const { resolve } = resolverOf(dns, { clock, negativeSeconds: 10 });
  await assert.rejects(resolve('a.example', 'A'), failsWith('ENOTFOUND'));
  clock.advance(9_000);
  await assert.rejects(resolve('a.example', 'A'), failsWith('ENOTFOUND'));
  assert.equal(dns.asked.length, 1);
  clock.advance(2_000);
  dns.reply = () => ({ address: '192.0.2.7', ttl: 1 });
  assert.deepEqual(await resolve('a.example', 'A'), ['192.0.2.7']);
});

for (const [rcode, code] of [
  [0, 'ENODATA'],
  [2, 'ESERVFAIL'],
  [3, 'ENOTFOUND'],
  [5, 'EREFUSED'],
  [1, 'ESERVFAIL'],
] as const) {
  test(`a server that answers with code ${rcode} is ${code}`, async () => {
    const dns = await nameServer(() => ({ rcode }));
    await assert.rejects(resolverOf(dns).resolve('a.example', 'A'), failsWith(code));
  });
}

test('who asks while the answer is under way does not ask again', async () => {
  const dns = await nameServer(() => ({ address: '192.0.2.7', ttl: 0 }));
  const { resolve } = resolverOf(dns);
  const answers = await Promise.all(Array.from({ length: 50 }, () => resolve('a.example', 'A')));
  assert.equal(dns.asked.length, 1);
  assert.deepEqual(answers[49], ['192.0.2.7']);
  await resolve('a.example', 'A');
  assert.equal(dns.asked.length, 2, 'a TTL of 0 is not held');
});

test('what one asker does to his answer, the next does not see', async () => {
  const dns = await nameServer(() => ({ address: '192.0.2.7', ttl: 60 }));
  const { resolve } = resolverOf(dns);
  const mine = await resolve('a.example', 'A');
  assert.ok(Array.isArray(mine));
  mine.push('rubbish');
  assert.deepEqual(await resolve('a.example', 'A'), ['192.0.2.7']);
});

test('a mute server is ETIMEOUT in the time given, and for a second it is not even asked', async () => {
  const dns = await nameServer(() => 'mute');
  const clock = setClock();
  const { resolve } = resolverOf(dns, { clock, timeoutMs: 400 });
  const elapsedMs = stopwatch();
  await assert.rejects(resolve('a.example', 'TXT'), failsWith('ETIMEOUT'));
  const tookMs = elapsedMs();
  assert.ok(tookMs < 900, `${tookMs} ms`);
  const asked = dns.asked.length;
  await assert.rejects(resolve('a.example', 'TXT'), failsWith('ETIMEOUT'));
  assert.equal(dns.asked.length, asked);
  clock.advance(1_100);
  await assert.rejects(resolve('a.example', 'TXT'), failsWith('ETIMEOUT'));
  assert.ok(dns.asked.length > asked);
});

test('a zone that answers after two seconds and a half is heard, beside a resolver that answers others at once', async () => {
  const dns = await nameServer(() => ({ address: '192.0.2.7', ttl: 60 }));
  const { resolve } = resolverOf(dns, { timeoutMs: 5_000 });
  for (let n = 0; n < 20; n += 1) await resolve(`quick${n}.example`, 'A');
  dns.delayMs = 2_500;
  assert.deepEqual(await resolve('slow.example', 'A'), ['192.0.2.7']);
});

test('two thousand questions that hang keep no other question waiting', async () => {
  const dns = await nameServer((name) => (name.endsWith('.dead.test') ? 'mute' : { address: '192.0.2.7', ttl: 60 }));
  const { resolve } = resolverOf(dns, { timeoutMs: 1_500 });
  const hanging = Array.from({ length: 2_000 }, (_, n) => resolve(`n${n}.dead.test`, 'A').catch(() => null));
  await new Promise((resolve) => setTimeout(resolve, 400)); // they are asked once more by now
  const times: number[] = [];
  for (let n = 0; n < 20; n += 1) {
    const elapsedMs = stopwatch();
    await resolve(`n${n}.alive.example`, 'A');
    times.push(elapsedMs());
  }
  const [median = 0] = times.sort((a, b) => a - b).slice(10);
  assert.ok(median < 100, `${median} ms`);
  await Promise.all(hanging);
});

test('a zone that is known not to answer fails at once for those who will ask again, and is asked for the others', async () => {
  const dns = await nameServer((name) => (name.endsWith('dead.test') ? 'mute' : { address: '192.0.2.7', ttl: 60 }));
  const clock = setClock();
  const { resolve } = resolverOf(dns, { clock, timeoutMs: 300 });
  const hanging = ['a', 'b', 'c'].map((name) => resolve(`${name}._x.dead.test`, 'A').catch(() => null));
  await resolve('alive.example', 'A');
  await Promise.all(hanging);
  const count = dns.asked.length;
  await assert.rejects(resolve('d._x.dead.test', 'A', { failFast: true }), failsWith('ETIMEOUT'));
  assert.equal(dns.asked.length, count);
  assert.deepEqual(await resolve('alive.example', 'A', { failFast: true }), ['192.0.2.7']);
  dns.reply = () => ({ address: '192.0.2.8', ttl: 60 });
  assert.deepEqual(await resolve('d._x.dead.test', 'A'), ['192.0.2.8'], 'who needs to know asks');
  assert.deepEqual(await resolve('e._x.dead.test', 'A', { failFast: true }), ['192.0.2.8'], 'it is alive again');
});

test('a resolver of ours that was mute to all is believed as soon as it answers: no breaker has opened meanwhile', async () => {
  const dns = await nameServer(() => 'mute');
  const clock = setClock();
  let opened = 0;
  const { resolve } = resolverOf(dns, { clock, timeoutMs: 200, onBreakerOpened: () => (opened += 1) });
  for (let round = 0; round < 4; round += 1) {
    const names = ['a.example', '_dmarc.a.example', 's._domainkey.a.example', 'b.example'];
    await Promise.all(names.map((name) => resolve(name, 'A', { failFast: true }).catch(() => null)));
    clock.advance(1_100);
  }
  dns.reply = () => ({ address: '192.0.2.7', ttl: 60 });
  assert.deepEqual(await resolve('a.example', 'A', { failFast: true }), ['192.0.2.7']);
  assert.equal(opened, 0);
});

test('the memory is bounded: the least recently used answer goes first', async () => {
  const dns = await nameServer(() => ({ address: '192.0.2.7', ttl: 60 }));
  const { resolve } = resolverOf(dns, { maxEntries: 2 });
  for (const name of ['a', 'b', 'a', 'c', 'a']) await resolve(`${name}.example`, 'A');
  assert.deepEqual(dns.asked, ['a.example', 'b.example', 'c.example']);
  await resolve('b.example', 'A');
  assert.equal(dns.asked.length, 4);
});

for (const name of [
  '',
  '.',
  'a..example',
  `${'x'.repeat(64)}.example`,
  `${'long.'.repeat(60)}example`,
  'a\\.b.example',
  'a b.example',
  'a\u0000b.example',
]) {
  test(`the name ${JSON.stringify(name.slice(0, 20))} cannot exist and is not asked for`, async () => {
    const dns = await nameServer(() => 'mute');
    await assert.rejects(resolverOf(dns).resolve(name, 'A'), failsWith('EBADNAME'));
    assert.equal(dns.asked.length, 0);
  });
}

test(
  'all types that mail asks for come out in the shape of dns.promises, also over TCP',
  peerOptions('dnsmasq'),
  async (t) => {
    const port = await freePort();
    const long = ['x'.repeat(255), 'y'.repeat(255), 'z'.repeat(255), 'w'.repeat(255), 'v'.repeat(255)];
    const dnsmasq = spawn(findPeer('dnsmasq')!, [
      ...['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--local=/#/', '--pid-file='],
      ...[`--port=${port}`, '--listen-address=127.0.0.1', '--bind-interfaces', '--edns-packet-max=512', '--user=root'],
      '--host-record=mail.sender.example,192.0.2.1,2001:db8::1',
      '--mx-host=sender.example,mail.sender.example,10',
      '--txt-record=sender.example,v=spf1 -all',
      `--txt-record=long.sender.example,${long.join(',')}`,
      '--cname=www.sender.example,mail.sender.example',
      '--ptr-record=1.2.0.192.in-addr.arpa,mail.sender.example',
    ]);
    t.after(() => dnsmasq.kill());
    const { resolve } = createResolver({
      servers: [`127.0.0.1:${port}`],
      timeoutMs: 20_000,
      clock: Date.now,
      failureSeconds: 0,
    });
    await eventually('dnsmasq answers', () => resolve('mail.sender.example', 'A').catch(() => null));
    assert.deepEqual(await resolve('mail.sender.example', 'A'), ['192.0.2.1']);
    assert.deepEqual(await resolve('mail.sender.example', 'AAAA'), ['2001:db8::1']);
    assert.deepEqual(await resolve('www.sender.example', 'A'), ['192.0.2.1']);
    assert.deepEqual(await resolve('www.sender.example', 'CNAME'), ['mail.sender.example']);
    assert.partialDeepStrictEqual(await resolve('sender.example', 'MX'), [
      { exchange: 'mail.sender.example', priority: 10 },
    ]);
    assert.deepEqual(await resolve('sender.example', 'TXT'), [['v=spf1 -all']]);
    assert.deepEqual(await resolve('1.2.0.192.in-addr.arpa', 'PTR'), ['mail.sender.example']);
    assert.deepEqual(await resolve('long.sender.example', 'TXT'), [long]);
    await assert.rejects(resolve('nowhere.example', 'A'), failsWith('ENOTFOUND'));
    await assert.rejects(resolve('sender.example', 'TLSA'), failsWith('ENODATA'));
  },
);

test('whether any server answers at all is told from a zone that does not', async () => {
  const port = await freePort();
  const { answers, resolve, close } = createResolver({
    servers: [`127.0.0.1:${port}`],
    timeoutMs: 300,
    clock: setClock(),
  });
  await assert.rejects(resolve('far.example', 'MX'));
  assert.equal(await answers(), false);
  close();
});

test('an answer from before an outage says nothing of it, a probe of many who wait is one, and its failure is held a second', async () => {
  const dns = await nameServer(() => ({ address: '192.0.2.7', ttl: 60 }));
  const clock = setClock();
  const { answers, resolve } = resolverOf(dns, { clock, timeoutMs: 200 });
  await resolve('a.example', 'A');
  assert.equal(await answers(clock()), true, 'of this very moment');
  clock.advance(10);
  dns.reply = () => 'mute';
  const since = clock();
  dns.asked.splice(0);
  assert.deepEqual(await Promise.all([answers(since), answers(since), answers(since)]), [false, false, false]);
  assert.equal(await answers(since), false);
  assert.deepEqual(new Set(dns.asked), new Set(['com']));
  dns.reply = (name) => (name === 'com' ? { rcode: 3 } : 'mute');
  clock.advance(1_100);
  assert.equal(await answers(clock()), true, 'whatever it says');
});
