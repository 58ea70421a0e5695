// What every queue must do, as tests over a factory. `receive` is one poll by a consumer that keeps what it gets until it
// says `done`; how long a poll waits is the adapter's own affair.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobSender } from '#pipeline/contract/ports.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';
import { sampleDeliverJob, sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';

export type ReceivedBody = {
  readonly body: string;
  readonly receiveCount: number;
  readonly done: () => Promise<void>;
  /** Lets the job come again at once. */
  readonly giveBack: () => Promise<void>;
};

export type QueueUnderTest = {
  readonly jobs: JobSender;
  /** What could be handed out now, at most `max`; none where there is nothing. */
  readonly receive: (queue: QueueName, max: number) => Promise<readonly ReceivedBody[]>;
  /** Moves the clock of the queue, its hops included. */
  readonly advance: (seconds: number) => Promise<void>;
  readonly nowIso: () => string;
  readonly close: () => Promise<void>;
};

/** Registers the tests. `make` answers empty queues; `name` stands before each title. */
export function queueContract(name: string, make: () => Promise<QueueUnderTest>): void {
  const check = (title: string, run: (queue: QueueUnderTest) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      const queue = await make();
      try {
        await run(queue);
      } finally {
        await queue.close();
      }
    });
  };

  check('what is sent to a queue comes out of that queue alone, as it was', async ({ jobs, receive }) => {
    const received = sampleReceivedJob();
    const deliver = sampleDeliverJob();
    await jobs.send('received', received);
    await jobs.send('deliver', deliver, { group: 'remote.example' });
    const [one, ...others] = await drain(receive, 'received');
    assert.deepEqual(others, []);
    assert.deepEqual(JSON.parse(one ?? ''), received);
    assert.deepEqual(
      (await drain(receive, 'deliver')).map((body) => JSON.parse(body)),
      [deliver],
    );
    assert.deepEqual(await drain(receive, 'parse'), []);
  });

  check('two hundred jobs sent at once all come out, each once', async ({ jobs, receive }) => {
    const sent = Array.from({ length: 200 }, () => sampleReceivedJob());
    await Promise.all(sent.map((job) => jobs.send('received', job)));
    const ids = (await drain(receive, 'received')).map((body) => JSON.parse(body).id).sort();
    assert.deepEqual(ids, sent.map(({ id }) => id).sort());
  });

  check('a job that was handed out is nobody else’s until it is given back', async ({ jobs, receive }) => {
    await jobs.send('received', sampleReceivedJob());
    const [job] = await receive('received', 10);
    assert.equal(job?.receiveCount, 1);
    assert.deepEqual(await receive('received', 10), []);
    await job?.giveBack();
    const [again] = await receive('received', 10);
    assert.equal(again?.receiveCount, 2);
    await again?.done();
    assert.deepEqual(await receive('received', 10), []);
  });

  for (const seconds of [60, 899, 901, 5_000, 432_000]) {
    check(`a job due in ${seconds} s comes out then and not before`, async ({ jobs, receive, advance, nowIso }) => {
      const notBefore = new Date(Date.parse(nowIso()) + seconds * 1_000).toISOString();
      const job = sampleDeliverJob();
      await jobs.send('deliver', job, { notBefore, group: 'remote.example' });
      assert.deepEqual(await receive('deliver', 10), []);
      await advance(seconds - 5);
      assert.deepEqual(await receive('deliver', 10), []);
      await advance(10);
      assert.deepEqual(
        (await drain(receive, 'deliver')).map((body) => JSON.parse(body)),
        [job],
      );
      assert.deepEqual(await drain(receive, 'deliver'), []);
    });
  }

  check('a due time that is over is now', async ({ jobs, receive }) => {
    await jobs.send('received', sampleReceivedJob(), { notBefore: '2020-01-01T00:00:00.000Z' });
    assert.equal((await drain(receive, 'received')).length, 1);
  });

  check('a job that is not one of its queue is not taken', async ({ jobs, receive }) => {
    const wrong: any = { ...sampleReceivedJob(), id: 'not-an-id' };
    await assert.rejects(jobs.send('received', wrong));
    assert.deepEqual(await drain(receive, 'received'), []);
  });
}

async function drain(receive: QueueUnderTest['receive'], queue: QueueName): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const jobs = await receive(queue, 10);
    if (jobs.length === 0) return bodies;
    for (const job of jobs) {
      bodies.push(job.body);
      await job.done();
    }
  }
}
