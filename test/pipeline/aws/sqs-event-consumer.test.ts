// An invocation by SQS: one record's failure is its own.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createJobsUnderWay } from '#pipeline/aws/coalescer.ts';
import { packBody } from '#pipeline/aws/pack.ts';
import { consumeSqsEvent } from '#pipeline/aws/sqs-event-consumer.ts';
import type { DeadLetterCause, DeadLetterMover, VisibilityChanger } from '#pipeline/aws/sqs-receiver.ts';
import type { JobReturner, ReturnedJob } from '#pipeline/aws/sqs-sender.ts';
import type { JobOf } from '#pipeline/contract/jobs.ts';
import { stages } from '#pipeline/contract/stages.ts';
import { ownFault } from '#pipeline/run/own-fault.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { createMemoryJobs } from '#test/support/fakes/memory-jobs.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { sampleDeliverJob } from '#test/support/samples/sample-jobs.ts';

type Run = (job: JobOf<'deliver'>, handout: { readonly receiveCount: number }) => Promise<{ outcome: string }>;

function world(run: Run) {
  const clock = setClock();
  const log = silentLog();
  const jobs = createMemoryJobs();
  const metrics = noMetrics();
  const hidden: number[] = [];
  const changeVisibility: VisibilityChanger = async (queue, records) => {
    assert.equal(queue, 'deliver');
    assert.ok(records.every(({ receiptHandle }) => receiptHandle.startsWith('r-')));
    hidden.push(...records.map(({ seconds }) => seconds));
  };
  const dead: string[] = [];
  const causes: DeadLetterCause[] = [];
  const moveToDeadLetters: DeadLetterMover = async (queue, { body }, cause) => {
    dead.push(`${queue} ${body}`);
    causes.push(cause);
  };
  const returned: ReturnedJob[] = [];
  const putBack: JobReturner = async (_queue, job) => {
    if (jobs.fail !== null) throw jobs.fail;
    returned.push(job);
  };
  const ports = { changeVisibility, moveToDeadLetters, putBack };
  const rest = { stage: stages.deliver, config: fixedConfig(), random: () => 0, ...ports };
  const consumer = { queue: 'deliver' as const, run, jobs, clock, log, metrics, ...rest };
  const consume = (...records: unknown[]) => consumeSqsEvent({ Records: records }, consumer);
  return { clock, log, jobs, metrics, hidden, dead, causes, returned, consume, consumer };
}

function record(messageId: string, body: string, attributes: Record<string, string> = {}) {
  const messageAttributes = Object.fromEntries(
    Object.entries(attributes).map(([name, stringValue]) => [
      name,
      { stringValue, stringListValues: [], binaryListValues: [], dataType: 'String' },
    ]),
  );
  return {
    messageId,
    receiptHandle: `r-${messageId}`,
    body,
    attributes: { ApproximateReceiveCount: '3', SentTimestamp: '1' },
    messageAttributes,
    md5OfBody: 'm',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:us-east-1:0:deliver',
    awsRegion: 'us-east-1',
  };
}

function receivedTimes<Record extends object>(count: number, one: Record) {
  return { ...one, attributes: { ApproximateReceiveCount: String(count), SentTimestamp: '1' } };
}

test('records that throw, are no JSON or no job fail alone, each with a log line', async () => {
  const [good, bad] = [sampleDeliverJob(), sampleDeliverJob()];
  const ran: string[] = [];
  const { consume, log } = world(async (job, { receiveCount }) => {
    assert.equal(receiveCount, 3);
    if (job.id === bad.id) throw new Error('S3 is down');
    ran.push(job.id);
    return { outcome: 'delivered' };
  });
  const answer = await consume(
    record('a', JSON.stringify(good)),
    record('b', JSON.stringify(bad)),
    record('c', 'not json'),
    record('d', '{"version":1}'),
  );
  assert.deepEqual(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier).sort(), ['b', 'c', 'd']);
  assert.deepEqual(ran, [good.id]);
  const [failure, ...more] = log.of('job-failed');
  assert.deepEqual([failure?.fields['messageId'], more], ['b', []]);
  assert.match(String(failure?.fields['error']), /S3 is down/);
  assert.deepEqual(
    log
      .of('job-dead')
      .map(({ fields }) => fields['messageId'])
      .sort(),
    ['c', 'd'],
  );
});

test('a record that failed comes back after 5 s · 2ⁿ, less some jitter, not after the whole visibility timeout', async () => {
  const { consume, consumer, hidden } = world(async () => {
    throw new Error('a bug');
  });
  const failing = (receiveCount: number) =>
    receivedTimes(receiveCount, record('a', JSON.stringify(sampleDeliverJob())));
  const waits: (number | undefined)[] = [];
  for (const receiveCount of [1, 2, 3, 4, 5, 6, 7]) {
    await consume(failing(receiveCount));
    waits.push(hidden.at(-1));
  }
  assert.deepEqual(waits, [5, 10, 20, 40, 80, 160, 300]);
  await consumeSqsEvent({ Records: [failing(3)] }, { ...consumer, random: () => 1 });
  assert.equal(hidden.at(-1), 14);
});

test('a body that is no job of its queue comes back seven times after five minutes, for a newer function, and is then a dead letter', async () => {
  const { consume, hidden, dead, jobs } = world(async () => assert.fail('it was run'));
  const unreadable = record('a', '{"version":99}');
  assert.deepEqual((await consume(receivedTimes(7, unreadable))).batchItemFailures, [{ itemIdentifier: 'a' }]);
  assert.deepEqual([hidden.at(-1), dead], [300, []]);
  assert.deepEqual((await consume(receivedTimes(8, unreadable))).batchItemFailures, []);
  assert.deepEqual([dead, jobs.sent], [['deliver {"version":99}'], []]);
});

test('a record whose visibility cannot be changed fails all the same, and the log says why', async () => {
  const { consumer, log } = world(async () => {
    throw new Error('a bug');
  });
  const changeVisibility = async () => Promise.reject(new Error('AccessDenied'));
  const event = { Records: [record('a', JSON.stringify(sampleDeliverJob()))] };
  assert.equal((await consumeSqsEvent(event, { ...consumer, changeVisibility })).batchItemFailures.length, 1);
  assert.match(String(log.of('job-hidden-longer')[0]?.fields['error']), /AccessDenied/);
});

test('an early job is sent on with its due time and group, and is done', async () => {
  const { consume, jobs, clock } = world(async () => assert.fail('it was run'));
  const job = sampleDeliverJob();
  const notBefore = new Date(clock() + 1_000_000).toISOString();
  const answer = await consume(record('a', JSON.stringify(job), { 'not-before': notBefore, group: 'remote.example' }));
  assert.deepEqual(answer, { batchItemFailures: [] });
  assert.deepEqual(jobs.sent, [{ queue: 'deliver', job, options: { notBefore, group: 'remote.example' } }]);
});

test('a job whose due time has come is run', async () => {
  const ran: string[] = [];
  const { consume, jobs, clock } = world(async ({ id }) => ({ outcome: String(ran.push(id)) }));
  const job = sampleDeliverJob();
  await consume(record('a', JSON.stringify(job), { 'not-before': new Date(clock()).toISOString() }));
  assert.deepEqual([ran, jobs.sent], [[job.id], []]);
});

test('an early job that cannot be sent on fails, so it is not lost, and comes back after seconds', async () => {
  const { consume, jobs, clock, hidden } = world(async () => ({ outcome: 'x' }));
  jobs.fail = new Error('SQS is down');
  const notBefore = new Date(clock() + 1_000_000).toISOString();
  const answer = await consume(record('a', JSON.stringify(sampleDeliverJob()), { 'not-before': notBefore }));
  assert.deepEqual(answer, { batchItemFailures: [{ itemIdentifier: 'a' }] });
  assert.equal(hidden.at(-1), 20);
});

test('a fault of ours sends the job on, anew and uncounted, after a minute at most for ten minutes, then ever later, and says why', async () => {
  const { consume, jobs, clock, log, metrics } = world(async () => {
    throw ownFault('secret', 'the DKIM key "secret:dkim-s1" cannot be read: AccessDeniedException');
  });
  const job = sampleDeliverJob();
  const waits: number[] = [];
  for (const faults of [0, 1, 2, 9, 10, 12, 13, 20]) {
    const answer = await consume(record('a', JSON.stringify(job), { group: 'remote.example', faults: String(faults) }));
    assert.deepEqual(answer, { batchItemFailures: [] });
    const { options, job: sent } = jobs.sent.at(-1)!;
    assert.deepEqual([sent, options?.group, options?.faults], [job, 'remote.example', faults + 1]);
    waits.push((Date.parse(options!.notBefore!) - clock()) / 1_000);
  }
  assert.deepEqual(waits, [30, 60, 60, 60, 120, 480, 900, 900]);
  const [line] = log.of('own-fault');
  assert.match(String(line?.fields['reason']), /the DKIM key .* cannot be read/);
  assert.equal(metrics.recorded.filter(({ labels }) => labels['outcome'] === 'waits').length, 8);
});

test('a job that carried its fair-queue group in the message alone keeps it while it waits for us', async () => {
  const { consume, jobs } = world(async () => {
    throw ownFault('secret', 'the DKIM key "secret:dkim-s1" cannot be read');
  });
  const sent = record('a', JSON.stringify(sampleDeliverJob()));
  await consume({ ...sent, attributes: { ...sent.attributes, MessageGroupId: '192.0.2.1_port_25' } });
  assert.equal(jobs.sent[0]?.options?.group, '192.0.2.1_port_25');
});

for (const { what, thrown } of [
  {
    what: 'what the SDK throws',
    thrown: Object.assign(new Error('Access Denied'), { $metadata: { httpStatusCode: 403 } }),
  },
  { what: 'a full disk', thrown: Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }) },
  { what: 'too many open files', thrown: Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' }) },
  { what: 'a full database', thrown: new Error('database or disk is full') },
  {
    what: 'such a fault behind another error',
    thrown: new Error('x', { cause: ownFault('dns', 'no resolver answers') }),
  },
]) {
  test(`${what} is a fault of ours`, async () => {
    const { consume, jobs } = world(async () => {
      throw thrown;
    });
    assert.deepEqual(await consume(record('a', JSON.stringify(sampleDeliverJob()))), { batchItemFailures: [] });
    assert.equal(jobs.sent.length, 1);
  });
}

test('the last run that fails tells the sender and moves the job to the dead letters: it is not handed out again', async () => {
  const { consume, jobs, dead, causes } = world(async () => {
    throw new TypeError('x is undefined');
  });
  const body = JSON.stringify(sampleDeliverJob());
  assert.equal((await consume(receivedTimes(7, record('a', body)))).batchItemFailures.length, 1);
  assert.deepEqual([jobs.sent, dead], [[], []]);
  assert.deepEqual(await consume(receivedTimes(8, record('a', body))), { batchItemFailures: [] });
  const reasons = jobs.of('deliver').map(({ givenUp }) => givenUp?.reason);
  assert.deepEqual([reasons, dead], [['TypeError: x is undefined'], [`deliver ${body}`]]);
  assert.deepEqual(causes, [{ reason: 'TypeError: x is undefined', handOuts: 8 }]);
});

test('a job of which nothing was ever heard is run fifty times, and then a dead letter without a run', async () => {
  const ran: string[] = [];
  const { consume, jobs, dead } = world(async ({ id }) => ({ outcome: String(ran.push(id)) }));
  const body = JSON.stringify(sampleDeliverJob());
  await consume(receivedTimes(50, record('a', body)));
  assert.deepEqual([ran.length, dead], [1, []]);
  assert.deepEqual(await consume(receivedTimes(51, record('a', body))), { batchItemFailures: [] });
  assert.deepEqual([ran.length, dead], [1, [`deliver ${body}`]]);
  assert.match(jobs.of('deliver')[0]?.givenUp?.reason ?? '', /^it was handed out 50 times without an answer/);
});

test('a dead letter that cannot be moved stays on its queue', async () => {
  const { consumer, hidden, log } = world(async () => {
    throw new TypeError('x is undefined');
  });
  const moveToDeadLetters = async () => Promise.reject(new Error('AccessDenied'));
  const event = { Records: [receivedTimes(8, record('a', JSON.stringify(sampleDeliverJob())))] };
  assert.equal((await consumeSqsEvent(event, { ...consumer, moveToDeadLetters })).batchItemFailures.length, 1);
  assert.equal(hidden.at(-1), 300);
  assert.match(String(log.of('job-not-sent-on')[0]?.fields['error']), /AccessDenied/);
});

describe('a function that ends in the middle', () => {
  const { deliver, parse } = stages;
  const late = { ApproximateReceiveCount: '1', ApproximateFirstReceiveTimestamp: '0' };
  for (const { what, stage, attributes, isHeld } of [
    { what: 'a batch of new records costs no request', stage: parse, attributes: {}, isHeld: false },
    {
      what: 'where a run may take long, its batch is held in short steps',
      stage: deliver,
      attributes: {},
      isHeld: true,
    },
    {
      what: 'a batch with a record that was received before is held',
      stage: parse,
      attributes: { ApproximateReceiveCount: '2' },
      isHeld: true,
    },
    { what: 'a batch that was throttled before it was run is held', stage: parse, attributes: late, isHeld: true },
  ]) {
    test(what, async () => {
      const { consumer, hidden, clock } = world(async () => ({ outcome: 'x' }));
      const now = { ApproximateReceiveCount: '1', ApproximateFirstReceiveTimestamp: String(clock()) };
      const Records = ['a', 'b'].map((name) => ({
        ...record(name, JSON.stringify(sampleDeliverJob())),
        attributes: { ...now, ...attributes },
      }));
      await consumeSqsEvent({ Records }, { ...consumer, stage });
      assert.deepEqual(hidden, isHeld ? [20, 20] : []);
    });
  }

  test('a batch whose run takes more than three seconds is held from then on, in steps that grow', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const running = Promise.withResolvers<{ outcome: string }>();
    const { consumer, hidden } = world(() => running.promise);
    const Records = [receivedTimes(1, record('a', JSON.stringify(sampleDeliverJob())))];
    const answer = consumeSqsEvent({ Records }, { ...consumer, stage: stages.parse });
    const seen: number[] = [];
    for (const ms of [2_999, 1, 9_999, 1, 14_999, 1]) {
      await new Promise(setImmediate);
      t.mock.timers.tick(ms);
      seen.push(hidden.length);
    }
    assert.deepEqual(seen, [0, 1, 1, 2, 2, 3]);
    assert.deepEqual(hidden, [20, 30, 45]);
    running.resolve({ outcome: 'x' });
    assert.deepEqual(await answer, { batchItemFailures: [] });
  });

  test('a run that would outlast its function fails for what is not done, so that what is done is not lost', async () => {
    const slow = sampleDeliverJob();
    const { consumer, hidden } = world((job) =>
      job.id === slow.id ? new Promise(() => {}) : Promise.resolve({ outcome: 'x' }),
    );
    const jobs = [slow, sampleDeliverJob()];
    const Records = jobs.map((job, n) => receivedTimes(1, record(String(n), JSON.stringify(job))));
    const stage = { ...stages.parse, timeoutSeconds: 8.05 };
    const answer = await consumeSqsEvent({ Records }, { ...consumer, stage });
    assert.deepEqual(answer, { batchItemFailures: [{ itemIdentifier: '0' }] });
    assert.deepEqual(hidden, [5]);
  });

  test('records that were received before run one after the other: one that ends the function takes none along that is done', async () => {
    let running = 0;
    let most = 0;
    const { consume } = world(async () => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running -= 1;
      return { outcome: 'x' };
    });
    const names = ['a', 'b', 'c'];
    await consume(...names.map((name) => receivedTimes(2, record(name, JSON.stringify(sampleDeliverJob())))));
    assert.equal(most, 1);
  });
});

test('a message that outlived its time while we were broken is given up', async () => {
  const { consume, jobs, clock, dead } = world(async () => {
    throw ownFault('aws', 'S3 says no');
  });
  const expiresAt = new Date(clock() - 86_400_001).toISOString();
  const answer = await consume(record('a', JSON.stringify(sampleDeliverJob({ expiresAt }))));
  assert.equal(answer.batchItemFailures.length, 0);
  assert.equal(dead.length, 1);
  assert.match(jobs.of('deliver')[0]?.givenUp?.reason ?? '', /it waited as long as a message lives; .*S3 says no/);
});

test('jobs of a batch run at once, ten at most', async () => {
  let running = 0;
  let most = 0;
  const { consume } = world(async () => {
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running -= 1;
    return { outcome: 'x' };
  });
  const fresh = (n: number) => receivedTimes(1, record(String(n), JSON.stringify(sampleDeliverJob())));
  await consume(...Array.from({ length: 25 }, (_, n) => fresh(n)));
  assert.equal(most, 10);
});

test('the jobs of a batch count as under way until each has ended, also if it failed', async () => {
  const underWay = createJobsUnderWay();
  const counted: number[] = [];
  const { consumer } = world(async () => {
    await new Promise(setImmediate);
    counted.push(underWay.count());
    if (counted.length === 2) throw new Error('broken');
    return { outcome: 'x' };
  });
  const Records = ['a', 'b', 'c'].map((name) => receivedTimes(1, record(name, JSON.stringify(sampleDeliverJob()))));
  await consumeSqsEvent({ Records }, { ...consumer, underWay });
  assert.equal(counted[0], 3);
  assert.equal(underWay.count(), 0);
});

test('an event that is none of SQS throws', async () => {
  const { consumer } = world(async () => ({ outcome: 'x' }));
  await assert.rejects(consumeSqsEvent({ detail: {} }, consumer));
});

describe('a pack of jobs', () => {
  const three = () => [sampleDeliverJob(), sampleDeliverJob(), sampleDeliverJob()] as const;
  const packOf = (receives: number, ...jobs: readonly unknown[]) =>
    receivedTimes(receives, record('p', packBody(jobs.map((job) => JSON.stringify(job)))));
  const bodies = (returned: readonly ReturnedJob[]) => returned.map(({ body }) => JSON.parse(body));

  test('is done when all its jobs are', async () => {
    const jobs = three();
    const ran: string[] = [];
    const { consume, returned, hidden } = world(async ({ id }) => ({ outcome: String(ran.push(id)) }));
    assert.deepEqual(await consume(packOf(1, ...jobs)), { batchItemFailures: [] });
    assert.deepEqual([ran, returned], [jobs.map(({ id }) => id), []]);
    assert.equal(hidden.length, 1, 'a batch of deliver is held from its start, and that is all');
  });

  test('puts back alone the job that failed, with its wait and its count, and is done', async () => {
    const jobs = three();
    const { consume, returned } = world(async ({ id }) => {
      if (id === jobs[1].id) throw new Error('a bug');
      return { outcome: 'delivered' };
    });
    assert.deepEqual(await consume(packOf(1, ...jobs)), { batchItemFailures: [] });
    const body = JSON.stringify(jobs[1]);
    assert.deepEqual(returned, [{ body, group: undefined, delaySeconds: 5, handOuts: 1 }]);
  });

  test('puts back alone what it cannot read, as it is, for a newer function', async () => {
    const [job] = three();
    const { consume, returned } = world(async () => ({ outcome: 'delivered' }));
    assert.deepEqual(await consume(packOf(1, job, { version: 99 })), { batchItemFailures: [] });
    assert.deepEqual(returned, [{ body: '{"version":99}', group: undefined, delaySeconds: 300, handOuts: 1 }]);
  });

  test('sends on alone the job that waits for a fault of ours, uncounted', async () => {
    const jobs = three();
    const {
      consume,
      returned,
      jobs: sent,
    } = world(async ({ id }) => {
      if (id === jobs[2].id) throw ownFault('secret', 'the DKIM key cannot be read');
      return { outcome: 'delivered' };
    });
    assert.deepEqual(await consume(packOf(1, ...jobs)), { batchItemFailures: [] });
    assert.deepEqual([sent.of('deliver'), sent.sent[0]?.options.faults, returned], [[jobs[2]], 1, []]);
  });

  test('stays if a job cannot be put back, and comes back after seconds', async () => {
    const jobs = three();
    const {
      consume,
      jobs: queue,
      hidden,
      log,
    } = world(async () => {
      throw new Error('a bug');
    });
    queue.fail = new Error('SQS is down');
    assert.deepEqual(await consume(packOf(1, ...jobs)), { batchItemFailures: [{ itemIdentifier: 'p' }] });
    assert.equal(hidden.at(-1), 5);
    assert.match(String(log.of('job-not-sent-on')[0]?.fields['error']), /SQS is down/);
  });

  test('is split without a run if it was received before: one of its jobs may have ended the function', async () => {
    const jobs = three();
    const { consume, returned } = world(async () => assert.fail('it was run'));
    assert.deepEqual(await consume(packOf(3, ...jobs)), { batchItemFailures: [] });
    assert.deepEqual(bodies(returned), jobs);
    for (const { delaySeconds, handOuts } of returned) assert.deepEqual([delaySeconds, handOuts], [0, 2]);
  });

  test('becomes dead letters one by one, each with its report, if it was handed out more than fifty times', async () => {
    const jobs = three();
    const { consume, dead, returned, jobs: sent } = world(async () => assert.fail('it was run'));
    assert.deepEqual(await consume(packOf(51, ...jobs)), { batchItemFailures: [] });
    assert.deepEqual(dead.toSorted(), jobs.map((job) => `deliver ${JSON.stringify(job)}`).toSorted());
    assert.deepEqual([sent.of('deliver').filter(({ givenUp }) => givenUp !== undefined).length, returned], [3, []]);
  });

  test('leaves its count to its jobs: what was handed out seven times is a dead letter when it fails once more', async () => {
    const { consume, dead, hidden, causes } = world(async () => {
      throw new Error('a bug');
    });
    const body = JSON.stringify(sampleDeliverJob());
    const failing = (earlier: number) => receivedTimes(1, record('a', body, { 'handed-out': String(earlier) }));
    assert.equal((await consume(failing(6))).batchItemFailures.length, 1);
    assert.deepEqual([hidden.at(-1), dead], [300, []]);
    assert.deepEqual(await consume(failing(7)), { batchItemFailures: [] });
    assert.deepEqual([dead, causes[0]?.handOuts], [[`deliver ${body}`], 8]);
  });
});
