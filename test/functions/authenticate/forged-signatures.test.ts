// DKIM alone may vouch for a victim that asks for p=reject. Whoever has no key of the victim must not get in by a signature field of
// his own, and whoever has a message that the victim signed must not change what is shown of it unnoticed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { type Zone, zoneResolver } from '#test/support/fakes/zone-resolver.ts';
import { ed25519Record, signEd25519 } from '#test/support/samples/sign-ed25519.ts';
import { type Given, runStage } from './run-stage.ts';

const key = { TXT: [ed25519Record] };
const zone: Zone = {
  's._domainkey.victim.example': key,
  's._domainkey.evil.example': key,
  's._domainkey.mute.example': { TXT: 'MUTE' },
  's._domainkey.broken.example': { TXT: 'SERVFAIL' },
  's._domainkey.xn--victim-9e0c.example': key,
  '_dmarc.victim.example': { TXT: ['v=DMARC1; p=reject'] },
  '_dmarc.broken.example': { TXT: ['v=DMARC1; p=reject'] },
};
const inZone = zoneResolver(zone);
/** As our resolver does: a name that cannot exist is not asked for. */
const resolve: Resolve = async (name, type, options) => {
  if (name.length > 253) throw Object.assign(new Error(name), { code: 'EBADNAME' });
  return inZone(name, type, options);
};

const from = 'From: ceo@victim.example\r\n';
const plain = `${from}Subject: genuine\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\nbody\r\n`;
const all = ['from', 'subject', 'date'];
const genuine = signEd25519(plain, { domain: 'victim.example', names: all });
/** Its body hash fits, its signature does not: the key is asked for. */
const withoutKey = (message: string): string => message.replace(/ b=.{8}/, ' b=AAAAAAAA');

async function judged(message: string, given: Given = {}) {
  const config = { dns: { timeoutSeconds: 1, temperrorRetrySeconds: [] } };
  const job = { reversePath: 'x@nobody.example' };
  const { jobs } = await runStage({ message: Buffer.from(message, 'latin1'), resolve, config, job, ...given });
  const [{ authentication, disposition } = assert.fail('no job')] = jobs.of('parse');
  return { ...authentication, disposition };
}

const forged: readonly { readonly title: string; readonly message: string; readonly dkim: string }[] = [
  {
    title: 'a selector so long that no key can have it',
    message: signEd25519(plain, {
      domain: 'victim.example',
      names: all,
      selector: Array(5).fill('a'.repeat(50)).join('.'),
    }),
    dkim: 'permerror',
  },
  {
    title: 'a zone that eats up the time, before a signature whose tags stand in another tag too',
    message: signEd25519(
      withoutKey(signEd25519(plain, { domain: 'victim.example', names: all, tags: ' z=x:d=other.example;' })),
      { domain: 'mute.example', names: all },
    ),
    dkim: 'temperror',
  },
  {
    title: 'the name of the victim with a character that cannot be seen, in d=',
    message: signEd25519(plain, { domain: Buffer.from('\u200bvictim.example').toString('latin1'), names: all }),
    dkim: 'pass',
  },
  {
    title: 'lines behind the signed fields that are none',
    message: genuine.replace('\r\n\r\n', '\r\nPay evil at once\r\n\r\n'),
    dkim: 'policy',
  },
  {
    title: 'lines among the signed fields that are none',
    message: genuine.replace('\r\nDate', '\r\nPay evil at once\r\nDate'),
    dkim: 'policy',
  },
];
for (const { title, message, dkim } of forged) {
  test(`${title}: nobody vouches for the victim`, async () => {
    const { dmarc, disposition, dkim: signatures } = await judged(message);
    assert.equal(signatures[0]?.result, dkim, signatures[0]?.reason);
    assert.deepEqual([dmarc.result, dmarc.policy, disposition.action], ['fail', 'reject', 'quarantine']);
  });
}

test('a line of a mailbox file at the top takes a signature nothing', async () => {
  const { dmarc } = await judged(`Received: x\r\nFrom ceo Sat Nov 21 12:00:00 2026\r\n${genuine}`);
  assert.equal(dmarc.result, 'pass', dmarc.reason);
});

test('if the key of the victim cannot be looked up at the last attempt either, nobody vouches: the policy holds', async () => {
  const message = signEd25519(plain.replace('victim', 'broken'), { domain: 'broken.example', names: all });
  const { dmarc, disposition } = await judged(message);
  assert.equal(dmarc.result, 'temperror');
  assert.equal(disposition.action, 'quarantine');
  assert.match(disposition.reason, /^DMARC could not be checked \(p=reject\): /);
});

test('a signature that expired while its message waited here has not expired (RFC 6376 §3.5)', async () => {
  const at = (time: string): number => Date.parse(time) / 1_000;
  const sent = (x: number) => signEd25519(plain, { domain: 'victim.example', names: all, tags: ` x=${x};` });
  const now = '2026-11-21T13:00:00.000Z';
  assert.equal((await judged(sent(at('2026-11-21T12:30:00Z')), { now })).dmarc.result, 'pass');
  assert.equal((await judged(sent(at('2026-11-21T11:59:59Z')), { now })).dmarc.result, 'fail');
});
