// The fast lane and the slow one: mail that the DNS keeps waiting steps out of the way, and gets the verdict it always got.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { rememberedDnsError } from '#pipeline/dns/answer.ts';
import { type Zone, zoneResolver } from '#test/support/fakes/zone-resolver.ts';
import { judge, runStage } from './run-stage.ts';

const signed = (domain: string): string =>
  `DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=${domain}; s=s; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\nFrom: ann@sender.example\r\n\r\nbody\r\n`;
const sender = { 'sender.example': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] } } satisfies Zone;
const dmarc = { '_dmarc.sender.example': { TXT: ['v=DMARC1; p=reject'] } } satisfies Zone;

test('what a zone keeps waiting goes to the slow lane as it is, whichever of its zones that is', async () => {
  const cases: readonly { readonly zone: Zone; readonly message?: string }[] = [
    { zone: { 'sender.example': 'MUTE' } },
    { zone: { ...sender, '_dmarc.sender.example': 'MUTE' } },
    { zone: { ...sender, ...dmarc, 's._domainkey.signer.test': 'MUTE' }, message: signed('signer.test') },
    { zone: { ...sender, ...dmarc, 'mail.sender.example': 'MUTE' } },
    {
      zone: { 'sender.example': { TXT: ['v=spf1 include:spf.other.test -all'] }, 'spf.other.test': 'MUTE' },
    },
  ];
  const runs = await Promise.all(cases.map((given) => runStage({ ...given, lane: 'fast' })));
  for (const { outcome, jobs, job } of runs) {
    assert.deepEqual(outcome, { outcome: 'slow-lane' });
    assert.equal(jobs.sent.length, 1);
    assert.deepEqual(jobs.of('received-slow'), [job], 'the same attempt: it has not been judged');
    assert.equal(jobs.sent[0]?.options.group, '192.0.2.0/24 sender.example');
    assert.equal(jobs.sent[0]?.options.notBefore, undefined);
  }
});

test('where even the first question has no answer the message is not opened in the fast lane', async () => {
  const opened: string[] = [];
  const zone = { 'sender.example': 'MUTE' } as const;
  const { store, deps, job } = await runStage({ lane: 'fast', zone });
  const watched = {
    ...deps,
    store: { get: (key: string) => opened.push(key) && store.get(key) },
  };
  const { authenticate } = await import('#functions/authenticate/authenticate.ts');
  await authenticate(watched as typeof deps, job, { receiveCount: 1 });
  assert.deepEqual(opened, []);
});

test('the verdict and the evidence are the same in both lanes where all is answered in time', async () => {
  const given = { zone: { ...sender, ...dmarc }, message: signed('sender.example') };
  const [fast, slow] = [await judge({ ...given, lane: 'fast' }), await judge({ ...given, lane: 'slow' })];
  assert.deepEqual(fast, slow);
  assert.equal(fast.dmarc.result, 'pass');
});

test('a zone that answers late is judged in the slow lane by what it answers', async () => {
  const zone = zoneResolver({ ...sender, ...dmarc });
  const late: Resolve = async (name, type) => {
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    return zone(name, type);
  };
  const config = { dns: { timeoutSeconds: 4 } };
  const fast = runStage({ resolve: late, config, lane: 'fast' });
  const slow = judge({ resolve: late, config, lane: 'slow' });
  assert.equal((await fast).outcome.outcome, 'slow-lane');
  assert.equal((await slow).dmarc.result, 'pass');
});

const remembered =
  (zone: Zone, dead: string): Resolve =>
  async (name, type, options) => {
    if (options?.failFast === true && name === dead) throw rememberedDnsError('ETIMEOUT', name, type);
    return zoneResolver(zone)(name, type);
  };

test('of a zone that is known not to answer, mail is judged again later without a wait', async () => {
  const resolve = remembered(sender, 'sender.example');
  const { outcome, jobs } = await runStage({ resolve, lane: 'fast' });
  assert.equal(outcome.outcome, 'judge-again');
  assert.deepEqual(
    jobs.of('received').map(({ attempt }) => attempt),
    [2],
  );
});

test('nothing is recorded by a failure that was only remembered: the slow lane asks, and its verdict stands', async () => {
  const zone = { ...sender, ...dmarc, 's._domainkey.signer.test': { TXT: ['v=DKIM1; p='] } };
  const resolve = remembered(zone, 's._domainkey.signer.test');
  const given = { resolve, message: signed('signer.test') };
  assert.equal((await runStage({ ...given, lane: 'fast' })).outcome.outcome, 'slow-lane', 'DMARC passes all the same');
  const config = { dns: { temperrorRetrySeconds: [] } };
  const last = await runStage({ resolve: remembered(sender, 'sender.example'), config, lane: 'fast' });
  assert.equal(last.outcome.outcome, 'slow-lane', 'it would not be judged again');
  const [dkim] = (await judge({ ...given, lane: 'slow' })).dkim;
  assert.notEqual(dkim?.result, 'temperror');
});

test('what was judged in the slow lane is parsed as one group, so hundreds judged at once take turns with the rest', async () => {
  const groupsOf = async (lane: 'fast' | 'slow') => {
    const { jobs } = await runStage({ zone: { ...sender, ...dmarc }, lane });
    return jobs.sent.filter(({ queue }) => queue === 'parse').map(({ options }) => options?.group);
  };
  assert.deepEqual([await groupsOf('fast'), await groupsOf('slow')], [[undefined], ['slow-lane']]);
});

test('mail that is not judged, and a deadline that is short anyway, need no slow lane', async () => {
  const zone = { 'sender.example': 'MUTE' } as const;
  const submitted = { role: 'submission', user: 'app@ours.example' } as const;
  assert.equal((await runStage({ zone, lane: 'fast', session: submitted })).outcome.outcome, 'handed-on');
  const short = await runStage({ zone, lane: 'fast', config: { dns: { timeoutSeconds: 1 } } });
  assert.equal(short.outcome.outcome, 'judge-again');
});
