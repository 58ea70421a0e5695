// What the log says of a message, and what is said where it cannot be asked: against CloudWatch Logs as it is played here.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { messageIdFactory } from '#mail/header/message-id.ts';
import { createLogFinder } from '#ops/aws/find-log-lines.ts';
import { createLogSearch } from '#pipeline/aws/operator/log-search.ts';
import { messageQueryName } from '#pipeline/contract/message-query.ts';
import { type OperatorsAws, operatorsAws, throttled } from '#test/support/aws/operators-aws.ts';
import type { Refusal } from '#test/support/aws/played-logs.ts';

const name = messageQueryName('mail');
const id = messageIdFactory()(Date.now() - 3_600_000);
let aws: OperatorsAws;
before(async () => {
  aws = await operatorsAws('http://127.0.0.1:1');
});
after(() => aws.close());
beforeEach(() => {
  aws.reset();
  aws.logs.definitions.push({ name: `${name}-of-mine`, lastModified: 9, logGroupNames: [] });
  aws.logs.definitions.push({ name, lastModified: 2, logGroupNames: ['listener', 'parse'] });
  aws.logs.definitions.push({ name, lastModified: 1, logGroupNames: ['gone'] });
  for (const group of ['listener', 'parse']) aws.logs.groups.set(group, { createdMs: 0, retentionDays: 30, lines: [] });
});

const find = () => {
  const search = createLogSearch({ region: 'eu-west-1', endpoint: aws.endpoint }, async () => {});
  return createLogFinder({ search, serviceName: 'mail', clock: Date.now, pause: async () => {} })(id);
};

function log(group: string, count: number, line: object = { id }): void {
  const { lines } = aws.logs.groups.get(group)!;
  for (let n = 0; n < count; n += 1)
    lines.push({ atMs: Date.now() - 1_000 + n, message: JSON.stringify({ n, ...line }) });
}

test('the lines of all groups in order of time, when the search is complete, by the query that was deployed last', async () => {
  log('parse', 3);
  log('listener', 1, { id: 'another' });
  const { lines, note } = await find();
  assert.deepEqual(
    lines.map(({ message }) => JSON.parse(message).n),
    [0, 1, 2],
  );
  assert.match(lines[0]!.at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal(note, null);
  assert.deepEqual(aws.calls, ['DescribeQueryDefinitions', 'StartQuery', ...Array(3).fill('GetQueryResults')]);
  assert.deepEqual(aws.signedFor, []);
});

test('half a thousand lines are shown, and said not to be all', async () => {
  log('parse', 501, { id, error: 'x'.repeat(2_000) });
  const { lines, note } = await find();
  assert.equal(lines.length, 500);
  assert.match(note ?? '', /more than 500 lines/);
});

test('a search that goes on and on is not waited for: what it found so far is shown', async () => {
  let nowMs = Date.now();
  const rows = [{ at: '2026-11-26T00:00:00.000Z', message: '{}' }];
  const search = {
    groupsOf: async () => ['parse'],
    start: async () => 'search',
    results: async () => ({ isRunning: true, status: 'Running', rows }),
  };
  const pause = async (ms: number) => {
    nowMs += ms;
  };
  const found = await createLogFinder({ search, serviceName: 'mail', clock: () => nowMs, pause })(id);
  assert.deepEqual(found, {
    lines: rows,
    note: 'the log is still being searched after 20 s: its lines so far are shown',
  });
});

const refused = (refusal: Omit<Refusal, 'status'>) => () =>
  void aws.refusals.set('StartQuery', { ...refusal, status: 400 });
const allGroups = (group: object) => () => {
  for (const one of ['listener', 'parse'])
    aws.logs.groups.set(one, { createdMs: 0, retentionDays: 30, lines: [], ...group });
};

for (const { title, given, says } of [
  {
    title: 'the service stack was never deployed',
    given: () => void aws.logs.definitions.splice(0),
    says: /^the log was not asked: there is no saved query mail\/follow-one-message, which mail-service makes$/,
  },
  {
    title: 'a log group was deleted',
    given: () => void aws.logs.groups.delete('parse'),
    says: /a log group of the saved query is gone \(Log group 'parse' does not exist\.\): deploy the service stack again$/,
  },
  {
    title: 'the log begins later',
    given: allGroups({ createdMs: Date.now() + 60_000 }),
    says: /does not go back as far as this message \(logDays\)$/,
  },
  {
    title: 'AWS does not understand the query',
    given: refused({ name: 'MalformedQueryException', message: 'unexpected symbol found' }),
    says: /could not be asked: unexpected symbol found \(MalformedQueryException\)$/,
  },
  {
    title: 'too many queries run at once',
    given: refused({
      name: 'LimitExceededException',
      message: 'Account maximum query concurrency limit of [30] reached.',
    }),
    says: /too many queries run in this account: try again in a minute/,
  },
  {
    title: 'AWS goes on throttling',
    given: () => void aws.refusals.set('StartQuery', throttled(99)),
    says: /AWS asks for patience \(Rate exceeded\)/,
  },
]) {
  test(`${title}: no lines, and a sentence that says so`, async () => {
    given();
    const { lines, note } = await find();
    assert.deepEqual(lines, []);
    assert.match(note ?? '', says);
  });
}
