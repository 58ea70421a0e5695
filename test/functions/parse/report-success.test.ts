// Success that the sender asked for (RFC 3461 §4.1): parse hands its report to deliver, when the JSON is there and not before.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { parse } from '#functions/parse/parse.ts';
import { createParser } from '#functions/parse/worker/parser.ts';
import type { ParseJob } from '#pipeline/contract/jobs.ts';
import type { Flat } from '#test/support/samples/sample-jobs.ts';
import { parseDeps, parseJob } from './parse-job.ts';

const parser = createParser();
after(() => parser.close());

const handout = { receiveCount: 1 };
const hello = Buffer.from('Received: x\r\nSubject: hello\r\n\r\nhello\r\n');
const { authentication, envelope } = parseJob(hello);
const [support] = envelope.recipients;
const asked = (notify: 'success' | 'failure') => ({ ...support!, dsn: { notify: [notify], orcpt: null } });
const spfPass = {
  ...authentication,
  spf: { result: 'pass' as const, domain: 'sender.example', reason: 'it is listed' },
};
const submitted = { ...envelope.session, role: 'submission' as const, user: 'app@sender.example' };

const cases: readonly { readonly title: string; readonly over: Partial<Flat<ParseJob>>; readonly told: number }[] = [
  { title: 'mail that a user submitted', over: { session: submitted }, told: 1 },
  { title: 'mail of a stranger whose SPF passes', over: { authentication: spfPass }, told: 1 },
  {
    title: 'mail that policy withheld: it is in the quarantine of its mailbox, and no other delivery follows',
    over: { authentication: spfPass, disposition: { action: 'quarantine', reason: 'DMARC failed' } },
    told: 1,
  },
  { title: 'mail of a stranger who may be forged', over: {}, told: 0 },
  { title: 'mail from the null reverse-path', over: { authentication: spfPass, reversePath: '' }, told: 0 },
  {
    title: 'mail of which only a failure was to be told',
    over: { session: submitted, recipients: [asked('failure')] },
    told: 0,
  },
];
for (const { title, over, told } of cases) {
  test(`the success of ${title} is ${told === 1 ? 'reported' : 'not reported'}`, async () => {
    const deps = parseDeps(parser);
    const job = parseJob(hello, { recipients: [asked('success')], ...over });
    deps.store.seed(job.raw.key, hello);
    await parse(deps, job, handout);
    const sent = deps.jobs
      .of('deliver')
      .map((report) => [report.domain, report.deliveredLocally, report.sender?.proven]);
    assert.deepEqual(sent, told === 1 ? [['example.test', true, true]] : []);
  });
}

test('recipients of two domains are reported by a job each, those that nobody asked about by none', async () => {
  const deps = parseDeps(parser);
  const at = (domain: string, localPart: string) => ({
    ...asked('success'),
    forwardPath: `${localPart}@${domain}`,
    mailbox: { domain, localPart, tag: null },
  });
  const recipients = [at('one.test', 'a'), at('two.test', 'b'), at('one.test', 'c'), support!];
  const job = parseJob(hello, { session: submitted, recipients });
  deps.store.seed(job.raw.key, hello);
  await parse(deps, job, handout);
  assert.deepEqual(
    deps.jobs.of('deliver').map((report) => report.envelope.recipients.map(({ forwardPath }) => forwardPath)),
    [['a@one.test', 'c@one.test'], ['b@two.test']],
  );
});

test('nothing is reported while the JSON cannot be written; a run after one that died before its report makes it', async () => {
  const deps = parseDeps(parser);
  const job = parseJob(hello, { session: submitted, recipients: [asked('success')] });
  deps.store.seed(job.raw.key, hello);
  const store = { ...deps.store, put: () => Promise.reject(new Error('store down')) };
  await assert.rejects(parse({ ...deps, store }, job, handout), /store down/);
  assert.deepEqual(deps.jobs.sent, []);
  deps.jobs.fail = new Error('queue down');
  await assert.rejects(parse(deps, job, handout), /queue down/);
  assert.equal(deps.store.keys('inbox/').length, 1);
  deps.jobs.fail = null;
  const { present } = await parse(deps, job, { receiveCount: 2 });
  assert.deepEqual([present.length, deps.jobs.of('deliver').length], [1, 1]);
});
