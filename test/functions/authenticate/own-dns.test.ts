// An outage of our own DNS: strangers' mail waits for it, so that nobody's forgery gets in meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Given, runStage } from './run-stage.ts';

const problem = 'no DNS server answers (dns.servers: 192.0.2.53)';
const dnsProblem = async () => problem;
const zone = { 'sender.example': 'TIMEOUT', '_dmarc.sender.example': 'TIMEOUT' } as const;
const servers = ['192.0.2.53'];
const config = { dns: { servers } };

for (const attempt of [1, 2, 3]) {
  test(`judgement ${attempt} waits for our own DNS, and is not used up: no verdict, no job`, async () => {
    const asked: unknown[] = [];
    const given = {
      zone,
      config,
      job: { attempt },
      dnsProblem: async (since?: number) => asked.push(since) && problem,
    };
    await assert.rejects(runStage(given as Given), { fault: 'dns', message: problem, retryAt: null });
    assert.deepEqual(asked, [Date.parse('2026-11-21T12:00:01.000Z')], 'what was answered before says nothing now');
  });
}

test('a message that waited asks for our DNS before anything else, and not whether its zones answer', async () => {
  const resolve = async () => assert.fail('asked');
  await assert.rejects(runStage({ config, dnsProblem, resolve, faults: 1 }), { fault: 'dns' });
});

test('where our own DNS answers somebody, a zone that does not is judged again later, as ever', async () => {
  const { outcome, jobs } = await runStage({ zone, config, dnsProblem: async () => null });
  assert.equal(outcome.outcome, 'judge-again');
  assert.equal(jobs.of('received')[0]?.attempt, 2);
});

const cases: readonly { readonly title: string; readonly given: Given }[] = [
  {
    title: 'a message that has waited as long as it lives is judged without a DNS',
    given: { config, job: { attempt: 3 }, now: '2026-11-26T12:00:00.000Z' },
  },
  {
    title: 'a capture server waits for no DNS',
    given: { config: { ...config, mode: 'capture' }, job: { attempt: 3 } },
  },
  {
    title: 'where dns.temperrorRetrySeconds is empty no mail waits for any DNS',
    given: { config: { dns: { servers, temperrorRetrySeconds: [] } } },
  },
  {
    title: 'a program of this machine, which asks its own DNS and may have none, is not kept waiting',
    given: { session: { clientIp: '127.0.0.1' }, job: { attempt: 3 } },
  },
];
for (const { title, given } of cases) {
  test(title, async () => {
    const { outcome } = await runStage({ zone, dnsProblem, ...given });
    assert.ok(outcome.outcome === 'handed-on');
    assert.equal(outcome.authentication.spf.result, 'temperror');
  });
}

test('mail that needs no answer from the DNS, or has it, does not ask whether ours is there', async () => {
  const asking = { config, dnsProblem: async () => assert.fail('asked') };
  const submitted = { role: 'submission', user: 'ann@ours.example' } as const;
  assert.equal((await runStage({ ...asking, session: submitted, faults: 1 })).outcome.outcome, 'handed-on');
  const well = {
    'sender.example': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] },
    '_dmarc.sender.example': { TXT: ['v=DMARC1; p=reject'] },
  };
  assert.equal((await runStage({ ...asking, zone: well })).outcome.outcome, 'handed-on');
});
