// Log lines, EMF lines, Prometheus text and the environment: what leaves the process, and what it needs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takeMetrics } from '#local/emulator/function-output.ts';
import { parseEnvironment } from '#pipeline/aws/environment.ts';
import { createLog, errorFields } from '#pipeline/observe/log.ts';
import { isWrittenOnAws, watchedMetrics } from '#pipeline/observe/metric-names.ts';
import { createEmfMetrics, createMetricsRegistry } from '#pipeline/observe/metrics.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';

test('a log line is one JSON object whose own fields nothing can overwrite or grow', () => {
  const lines: string[] = [];
  const log = createLog({ write: (line) => lines.push(line), clock: setClock(), base: { stage: 'parse' } });
  log.warn('fatal', { id: '01X', level: 'info', text: `line\nbreak ${'x'.repeat(10_000)}`, none: undefined, n: 1 });
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^[^\n]{0,2300}\n$/);
  const { text, ...line } = JSON.parse(lines[0] ?? '');
  assert.deepEqual(line, {
    time: '2026-11-21T12:00:00.000Z',
    level: 'warn',
    event: 'fatal',
    stage: 'parse',
    id: '01X',
    n: 1,
  });
  assert.equal(text.length, 2_001);
});

test('what a terminal obeys is escaped in a log line, and still there for programs', () => {
  const lines: string[] = [];
  const log = createLog({ write: (line) => lines.push(line), clock: setClock() });
  const hostile = '\u001b[31m \u009b2J \u202e \u2028';
  log.info('fatal', { hostile });
  assert.match(lines[0] ?? '', /^[ -~]+\n$/);
  assert.equal(JSON.parse(lines[0] ?? '').hostile, hostile);
});

test('what is below the least level is not written', () => {
  const lines: string[] = [];
  const log = createLog({ write: (line) => lines.push(line), clock: setClock(), least: 'warn' });
  log.info('started');
  log.warn('fatal');
  log.error('fatal');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).level),
    ['warn', 'error'],
  );
});

test('an error’s fields have its cause', () => {
  const fields = errorFields(new Error('outer', { cause: new TypeError('inner') }));
  assert.deepEqual([fields['error'], fields['cause']], ['Error: outer', 'TypeError: inner']);
});

function emf() {
  const lines: any[] = [];
  const write = (line: string) => lines.push(JSON.parse(line));
  const metrics = createEmfMetrics({ namespace: 'Pillarbox', base: { stage: 'parse' }, write, clock: setClock() });
  return { lines, metrics };
}

test('a flush writes one EMF line for each set of labels, however many messages there were', () => {
  const { lines, metrics } = emf();
  for (let n = 0; n < 5_000; n += 1) {
    metrics.count('jobs', { outcome: n % 2 === 0 ? 'done' : 'failed' });
    metrics.measure('job-seconds', n / 1_000);
  }
  assert.equal(lines.length, 0);
  metrics.flush();
  assert.equal(lines.length, 3);
  const done = lines.find((line) => line.outcome === 'done');
  assert.equal(done.jobs, 2_500);
  assert.deepEqual(done._aws.CloudWatchMetrics[0].Dimensions, [['stage', 'outcome']]);
  const seconds = lines.find((line) => 'job-seconds' in line);
  assert.deepEqual(seconds._aws.CloudWatchMetrics[0].Metrics, [{ Name: 'job-seconds', Unit: 'Seconds' }]);
  const { Values, Counts, Count, Max } = seconds['job-seconds'];
  assert.equal(Count, 5_000);
  assert.equal(Max, 5);
  assert.ok(Values.length <= 100 && Values.length === Counts.length);
  assert.equal(
    Counts.reduce((sum: number, n: number) => sum + n, 0),
    5_000,
  );
  metrics.flush();
  assert.equal(lines.length, 3, 'nothing new, nothing written');
});

test('few measurements go out as they are', () => {
  const { lines, metrics } = emf();
  metrics.measure('message-bytes', 1_234);
  metrics.measure('message-bytes', 10);
  metrics.flush();
  assert.deepEqual(lines[0]['message-bytes'], [1_200, 10]);
});

test('CloudWatch is told of the metrics that are watched; the others are on the line all the same', () => {
  const lines: string[] = [];
  const metrics = createEmfMetrics({
    namespace: 'N',
    base: { stage: 'parse' },
    watched: new Set(['jobs', 'job-seconds']),
    write: (line) => lines.push(line),
    clock: setClock(),
  });
  metrics.count('jobs', { queue: 'parse' }, 3);
  metrics.count('job-hops', { queue: 'parse' });
  metrics.measure('parse-seconds', 2);
  metrics.measure('job-seconds', 3);
  metrics.count('parse-problems', { code: 'no-date' });
  metrics.flush();
  const told = lines
    .map((line) => JSON.parse(line))
    .flatMap(({ _aws }) => _aws?.CloudWatchMetrics ?? [])
    .map(({ Dimensions, Metrics }: any) => [Dimensions, Metrics.map(({ Name }: any) => Name)]);
  assert.deepEqual(told, [
    [[['stage', 'queue']], ['jobs']],
    [[['stage']], ['job-seconds']],
  ]);
  const taken = noMetrics();
  for (const line of lines) assert.equal(takeMetrics(line, taken), true);
  assert.deepEqual(taken.recorded.map(({ name }) => name).sort(), [
    'job-hops',
    'job-seconds',
    'jobs',
    'parse-problems',
    'parse-seconds',
  ]);
});

test('what the log says of each message is no metric on AWS: of jobs only those that did not end well', () => {
  const lines: string[] = [];
  const metrics = createEmfMetrics({
    namespace: 'N',
    base: { stage: 'parse' },
    watched: watchedMetrics,
    isWritten: isWrittenOnAws,
    write: (line) => lines.push(line),
    clock: setClock(),
  });
  metrics.count('jobs', { queue: 'parse', outcome: 'stored' }, 9);
  metrics.count('jobs', { queue: 'parse', outcome: 'failed' });
  metrics.measure('job-seconds', 2, { queue: 'parse' });
  metrics.measure('accepted-to-inbox-seconds', 4);
  metrics.count('messages-judged', { dmarc: 'pass' });
  metrics.count('messages-stored', { action: 'accept' }, 9);
  metrics.flush();
  const taken = noMetrics();
  for (const line of lines) assert.equal(takeMetrics(line, taken), true);
  assert.deepEqual(taken.recorded, [
    { name: 'jobs', labels: { stage: 'parse', queue: 'parse', outcome: 'failed' }, value: 1 },
    { name: 'messages-stored', labels: { stage: 'parse', action: 'accept' }, value: 9 },
  ]);
  assert.equal(lines[1], '{"also":["messages-stored"],"stage":"parse","action":"accept","messages-stored":9}\n');
});

test('what leaves as EMF is taken into a registry again by the emulator world', () => {
  const lines: string[] = [];
  const emfMetrics = createEmfMetrics({
    namespace: 'N',
    base: { stage: 'parse' },
    write: (line) => lines.push(line),
    clock: setClock(),
  });
  emfMetrics.count('jobs', { outcome: 'done' }, 3);
  for (let n = 0; n < 150; n += 1) emfMetrics.measure('job-seconds', 2);
  emfMetrics.flush();
  const taken = noMetrics();
  assert.deepEqual(
    lines.map((line) => takeMetrics(line, taken)),
    [true, true],
  );
  assert.equal(taken.total('jobs'), 3);
  assert.equal(taken.recorded.filter(({ name }) => name === 'job-seconds').length, 150);
  assert.equal(takeMetrics('{"level":"info"}', taken), false);
});

test('the registry speaks Prometheus', () => {
  const metrics = createMetricsRegistry();
  metrics.count('messages-accepted', { role: 'mx' });
  metrics.count('messages-accepted', { role: 'mx' }, 2);
  metrics.count('messages-accepted', { role: 'odd "one"\n' });
  metrics.measure('job-seconds', 0.02);
  metrics.measure('job-seconds', 400_000_000);
  const text = metrics.text();
  assert.match(
    text,
    /^# TYPE pillarbox_messages_accepted_total counter\npillarbox_messages_accepted_total\{role="mx"\} 3$/m,
  );
  assert.match(text, /\{role="odd \\"one\\"\\n"\} 1\n/);
  assert.match(text, /pillarbox_job_seconds_bucket\{le="0\.025"\} 1\n/);
  assert.match(text, /pillarbox_job_seconds_bucket\{le="\+Inf"\} 2\n/);
  assert.match(text, /pillarbox_job_seconds_sum 400000000\.02\npillarbox_job_seconds_count 2\n$/);
});

test('a wrong environment is refused with every variable that is missing or wrong', () => {
  const variables = { AWS_REGION: 'eu-central-1', PILLARBOX_ENDPOINT: 'localhost', PILLARBOX_HEALTH_PORT: 'x' };
  assert.throws(
    () => parseEnvironment(variables, { queues: ['received'] }),
    (error: Error) => {
      for (const name of [
        'PILLARBOX_BUCKET',
        'PILLARBOX_ENDPOINT',
        'PILLARBOX_HEALTH_PORT',
        'PILLARBOX_QUEUE_RECEIVED_URL',
      ]) {
        assert.match(error.message, new RegExp(`^  ${name}: `, 'm'));
      }
      return true;
    },
  );
});

test('a stage needs the URLs of the queues it sends to, and no other', () => {
  const variables = { AWS_REGION: 'eu-central-1', PILLARBOX_BUCKET: 'bucket' };
  assert.deepEqual(parseEnvironment(variables, { queues: [] }).queueUrls, {});
  assert.throws(() => parseEnvironment(variables, { queues: ['parse'] }), /PILLARBOX_QUEUE_PARSE_URL: is not set/);
});
