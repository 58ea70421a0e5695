// The end of a process and the jobs that were in hand then: the database thread over one file, begun anew each time as after a
// kill -9, which leaves the rows as they are.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openDatabase } from '#local/embedded/database.ts';
import { createDatabaseThread, type DatabaseThread } from '#local/embedded/database-thread.ts';
import { type End, guiltLimit, judgeEnd } from '#local/embedded/queue/suspects.ts';
import type { NewJob, Request } from '#local/embedded/requests.ts';
import type { LeasedJob } from '#local/run/job-source.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';

test('twelve kills while one slow job is in hand, alone or in company, count for nothing', (t) => {
  for (const company of [0, 30]) {
    const life = lives(t);
    life.send('slow', ...Array.from({ length: company }, (_, n) => `n${n}`));
    for (let kill = 0; kill < 12; kill++) {
      const leased = life.leaseAll();
      assert.equal(leased.length, company + 1);
      assert.deepEqual([...new Set(leased.map(({ receiveCount, spent }) => `${receiveCount} ${spent}`))], ['1 null']);
      life.end('unknown');
    }
    for (const { handle } of life.leaseAll()) life.ask({ kind: 'ack', handles: [handle] });
    assert.deepEqual(life.counts(), { waiting: 0, dead: 0 });
  }
});

test('a job that crashes the process whenever it is handed out is a dead letter after a few crashes, and nothing else is', (t) => {
  const life = lives(t);
  life.send(...Array.from({ length: 40 }, (_, n) => (n === 17 ? 'poison' : `n${n}`)));
  const done: string[] = [];
  let crashes = 0;
  let given: LeasedJob | undefined;
  while (given === undefined && crashes < 50) {
    // One look after the other: what is due now is handed out at once, then what is due a second later, and so on.
    let isAlive = true;
    for (let look = 0; isAlive && look < 1_600 && given === undefined; look++) {
      const leased = life.lease(100);
      given = leased.find(({ spent }) => spent !== null);
      isAlive = !leased.some(({ messageId, spent }) => messageId === 'poison' && spent === null);
      // What runs beside the poison does not come to its end before the crash.
      if (isAlive) for (const job of leased) if (job.spent === null) finish(life, job, done);
      if (isAlive) life.wait(250);
    }
    if (isAlive) break;
    crashes += 1;
    life.end('crashed');
  }
  assert.equal(given?.messageId, 'poison');
  assert.match(given?.spent ?? '', /ended again and again/);
  assert.ok(crashes <= 8, `${crashes} crashes`);
  life.ask({ kind: 'nack', handle: given!.handle, receiveCount: given!.receiveCount, ...died });
  for (let look = 0; look < 1_600; look++) {
    for (const job of life.lease(100)) finish(life, job, done);
    life.wait(250);
  }
  assert.equal(new Set(done).size, 39);
  assert.deepEqual(life.counts(), { waiting: 0, dead: 1 });
});

for (const { afterMs, beside } of [
  { afterMs: 500, beside: 3 },
  { afterMs: 3_000, beside: 3 },
  { afterMs: 8_000, beside: 3 },
  { afterMs: 3_000, beside: 40 },
]) {
  test(`a job that crashes the process ${afterMs} ms after its hand-out does not take ${beside} slow ones beside it along`, (t) => {
    const life = lives(t);
    life.send('poison', ...Array.from({ length: beside }, (_, n) => `slow${n}`));
    const dead: string[] = [];
    let crashes = 0;
    while (life.counts().waiting > 0) {
      assert.ok(crashes <= 12, `${crashes} crashes`);
      const out = new Map<string, { readonly job: LeasedJob; readonly for: number }>();
      for (let ms = 0; (out.get('poison')?.for ?? 0) < afterMs; ms += 250) {
        assert.ok(ms < 900_000);
        for (const [id, { job, for: inHand }] of out) out.set(id, { job, for: inHand + 250 });
        for (const job of life.lease(100)) {
          if (job.spent === null) out.set(job.messageId, { job, for: 0 });
          else dead.push(job.messageId);
          if (job.spent !== null)
            life.ask({ kind: 'nack', handle: job.handle, receiveCount: job.receiveCount, ...died });
        }
        // What is slow takes twelve seconds.
        for (const [id, { job, for: inHand }] of out) {
          if (id === 'poison' || inHand < 12_000) continue;
          life.ask({ kind: 'ack', handles: [job.handle] });
          out.delete(id);
        }
        if (life.counts().waiting === 0) break;
        life.wait(250);
      }
      if (!out.has('poison')) break;
      crashes += 1;
      life.end('crashed');
    }
    assert.deepEqual(dead, ['poison']);
    assert.deepEqual(life.counts(), { waiting: 0, dead: 1 });
  });
}

test('a job that ends the process without a trace (memory, kill -9) is a dead letter in the end', (t) => {
  const life = lives(t);
  life.send('poison');
  let ends = 0;
  while (life.leaseAll()[0]?.spent === null) {
    ends += 1;
    life.end('unknown');
  }
  assert.equal(ends, guiltLimit);
});

test('an orderly end gives back what is out, and holds nothing against it', (t) => {
  const life = lives(t);
  life.send('slow');
  for (let stop = 0; stop < 2 * guiltLimit; stop++) {
    assert.equal(life.leaseAll()[0]?.spent, null);
    life.ask({ kind: 'close' });
    life.end('crashed');
  }
});

const cases = [
  {
    title: 'one end is held against all, but keeps none waiting',
    end: 'unknown',
    guilt: [0, 0],
    want: [1, 1],
    due: [5, 5],
  },
  {
    title: 'after a crash what was handed out last comes first',
    end: 'crashed',
    guilt: [0, 0],
    want: [4, 4],
    due: [3_100, 100],
  },
  {
    title: 'what was in hand for long before a crash is hardly suspect',
    end: 'crashed',
    at: [0, 90],
    guilt: [0, 0],
    want: [1, 4],
    due: [5, 100],
  },
] as const;
for (const { title, end, guilt, want, due, ...rest } of cases) {
  test(`${title}`, () => {
    const [first, second] = 'at' in rest ? rest.at.map((seconds) => seconds * 1_000) : [10, 20];
    const inHand = [
      { seq: 1, handedAt: first!, guilt: guilt[0], due: 5 },
      { seq: 2, handedAt: second!, guilt: guilt[1], due: 5 },
    ];
    const judged = judgeEnd(inHand, end, 100);
    assert.deepEqual(
      judged.map((job) => job.guilt),
      want,
    );
    assert.deepEqual(
      judged.map((job) => job.due),
      due,
    );
  });
}

const died = { retryAt: null, reason: 'x', isOurFault: false, tell: [] };

function finish(life: ReturnType<typeof lives>, { messageId, handle }: LeasedJob, done: string[]): void {
  done.push(messageId);
  life.ask({ kind: 'ack', handles: [handle] });
}

/** One file, and as many threads over it as there are lives. */
function lives(t: TestContext) {
  const folder = temporaryFolder();
  const database = openDatabase(join(folder, 'pillarbox.sqlite'));
  t.after(() => {
    database.close();
    rmSync(folder, { recursive: true, force: true });
  });
  let now = 1_000_000;
  let number = 0;
  const begin = (end: End): DatabaseThread => createDatabaseThread(database, () => {}, now, end);
  let thread = begin('unknown');
  const ask = (request: Request): any => {
    number += 1;
    const { replies } = thread.run({ now, buffer: new ArrayBuffer(0), requests: [{ number, request }] });
    const [reply] = replies.filter((one) => one.number === number);
    if (reply !== undefined && 'error' in reply) throw new Error(reply.error);
    return reply?.value;
  };
  /** A lease that finds nothing would wait: it is only asked for where there is something. */
  const lease = (max: number): readonly LeasedJob[] => {
    ask({ kind: 'tick' });
    if (ask({ kind: 'queues' })[2].ready === 0) return [];
    return ask({ kind: 'lease', queue: 'deliver', max, maxPerGroup: 1_000, maxReceives: 5, leaseSeconds: 3_600 });
  };
  return {
    ask,
    lease,
    wait: (ms: number): void => {
      now += ms;
    },
    end: (end: End): void => {
      now += 1_000;
      thread = begin(end);
    },
    send: (...ids: readonly string[]): void => {
      for (const messageId of ids) {
        const job: NewJob = { queue: 'deliver', body: '{}', messageId, group: '', due: now };
        ask({ kind: 'send', job });
      }
    },
    /** All there are, those too that are only due in a while because they are suspects. */
    leaseAll: (): readonly LeasedJob[] => {
      const all: LeasedJob[] = [];
      for (let look = 0; look < 70; look++) {
        all.push(...lease(100));
        now += 1_000;
      }
      return all;
    },
    counts: () => {
      const [, , { ready, delayed, inFlight, dead: died }] = ask({ kind: 'queues' });
      return { waiting: ready + delayed + inFlight, dead: died };
    },
  };
}
