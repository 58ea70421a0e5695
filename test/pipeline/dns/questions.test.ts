// What is put between a resolver and who asks: the deadline, the record of what was said, and the verified reverse name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordEvidence, startDeadline } from '#pipeline/dns/questions.ts';
import { reversePointer, verifiedReverseName } from '#pipeline/dns/reverse-name.ts';
import { type Zone, zoneResolver } from '#test/support/fakes/zone-resolver.ts';
import { stopwatch } from '#test/support/time/stopwatch.ts';

const failsWith = (code: string) => (error: unknown) =>
  error instanceof Error && 'code' in error && error.code === code;

test('one deadline holds for all questions: what is unanswered then, and what comes later, is ETIMEOUT', async () => {
  const zone = zoneResolver({ 'mute.example': { TXT: 'MUTE' }, 'a.example': { TXT: ['x'] } });
  const { resolve, wasReached } = startDeadline(zone, 100);
  assert.deepEqual(await resolve('a.example', 'TXT'), [['x']]);
  assert.equal(wasReached(), false);
  const elapsedMs = stopwatch();
  await Promise.all([1, 2, 3].map(() => assert.rejects(resolve('mute.example', 'TXT'), failsWith('ETIMEOUT'))));
  const tookMs = elapsedMs();
  assert.equal(wasReached(), true);
  assert.ok(tookMs < 250, `one deadline of 100 ms, not one after the other: ${tookMs} ms`);
  const asked = zone.queries.length;
  await assert.rejects(resolve('a.example', 'TXT'), failsWith('ETIMEOUT'));
  assert.equal(zone.queries.length, asked);
});

test('time that goes into the message and not into the DNS is not taken from the questions that come after it', async () => {
  let nowMs = 0;
  const { resolve, wasReached } = startDeadline(
    async (name) => [name],
    1_000,
    () => nowMs,
  );
  await resolve('first.example', 'A');
  nowMs += 10_000; // ten messages of a batch are read and hashed before a key is asked for
  assert.deepEqual(await resolve('second.example', 'A'), ['second.example']);
  assert.equal(wasReached(), false);
});

test('questions side by side wait for the same time, and it is taken from those that come after them', async () => {
  let nowMs = 0;
  const slow = Promise.withResolvers<string[]>();
  const { resolve, wasReached } = startDeadline(
    () => slow.promise,
    1_000,
    () => nowMs,
  );
  const both = Promise.all([resolve('one.example', 'A'), resolve('other.example', 'A')]);
  nowMs += 900;
  slow.resolve([]);
  await both;
  assert.deepEqual(await resolve('third.example', 'A'), []);
  const last = resolve('last.example', 'A');
  nowMs += 200;
  await assert.rejects(resolve('late.example', 'A'), failsWith('ETIMEOUT'));
  await last;
  assert.equal(wasReached(), true);
});

test('each question is asked once and recorded with what came back', async () => {
  const zone = zoneResolver({ 'a.example': { TXT: ['x'] }, 'b.example': 'SERVFAIL' });
  const { resolve, evidence } = recordEvidence(zone);
  await Promise.all([
    resolve('b.example', 'A').catch(() => null),
    resolve('a.example', 'TXT'),
    resolve('A.example.', 'TXT'),
  ]);
  assert.equal(zone.queries.length, 2);
  assert.deepEqual(evidence(), [
    { name: 'a.example', type: 'TXT', outcome: { kind: 'answer', json: '[["x"]]' } },
    { name: 'b.example', type: 'A', outcome: { kind: 'error', code: 'ESERVFAIL' } },
  ]);
});

test('the record is bounded in questions and in bytes', async () => {
  const zone = zoneResolver({ '*.example': { TXT: ['x'.repeat(1_000)] } });
  const few = recordEvidence(zone, { maxQuestions: 3, maxBytes: 1e6 });
  const small = recordEvidence(zone, { maxQuestions: 100, maxBytes: 5_000 });
  for (let n = 0; n < 10; n += 1) {
    await few.resolve(`n${n}.example`, 'TXT');
    await small.resolve(`n${n}.example`, 'TXT');
  }
  assert.equal(few.evidence().length, 3);
  assert.equal(small.evidence().length, 4);
});

const reverse: readonly {
  readonly title: string;
  readonly ip: string;
  readonly zone: Zone;
  readonly name: string | null;
}[] = [
  {
    title: 'a name that leads back is believed',
    ip: '192.0.2.1',
    zone: { '1.2.0.192.in-addr.arpa': { PTR: ['Mail.sender.example.'] }, 'mail.sender.example': { A: ['192.0.2.1'] } },
    name: 'mail.sender.example',
  },
  {
    title: 'a name that leads elsewhere is not',
    ip: '192.0.2.1',
    zone: { '1.2.0.192.in-addr.arpa': { PTR: ['mail.bank.example'] }, 'mail.bank.example': { A: ['192.0.2.99'] } },
    name: null,
  },
  {
    title: 'the first name that leads back counts',
    ip: '192.0.2.1',
    zone: { '1.2.0.192.in-addr.arpa': { PTR: ['a.example', 'b.example'] }, 'b.example': { A: ['192.0.2.1'] } },
    name: 'b.example',
  },
  { title: 'an address without a name has none', ip: '192.0.2.1', zone: {}, name: null },
  {
    title: 'a DNS that fails gives no name',
    ip: '192.0.2.1',
    zone: { '1.2.0.192.in-addr.arpa': 'SERVFAIL' },
    name: null,
  },
  {
    title: 'an IPv4 address in IPv6 clothes is an IPv4 address',
    ip: '::ffff:192.0.2.1',
    zone: { '1.2.0.192.in-addr.arpa': { PTR: ['m.example'] }, 'm.example': { A: ['192.0.2.1'] } },
    name: 'm.example',
  },
  {
    title: 'IPv6 is compared as a number, not as text',
    ip: '2001:db8::1',
    zone: {
      '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa': { PTR: ['m.example'] },
      'm.example': { AAAA: ['2001:DB8:0:0:0:0:0:1'] },
    },
    name: 'm.example',
  },
  { title: 'what is no address has no name', ip: 'rubbish', zone: {}, name: null },
];

for (const { title, ip, zone, name } of reverse) {
  test(title, async () => {
    assert.equal(await verifiedReverseName(zoneResolver(zone), ip), name);
  });
}

test('a reverse pointer is the address backwards (RFC 1035 §3.5, RFC 3596 §2.5)', () => {
  assert.equal(reversePointer('192.0.2.1'), '1.2.0.192.in-addr.arpa');
  assert.equal(reversePointer('::'), `${'0.'.repeat(32)}ip6.arpa`);
  assert.equal(reversePointer('::ffff:192.0.2.1')?.startsWith('1.0.2.0.0.0.0.c.f.f.f.f.'), true);
});
