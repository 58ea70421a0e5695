// The connections of 50 processes to one destination, by a clock of the test's own. The leases are the real ones; each process has a
// clock that is some seconds off, and SQS hands any job to any of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFleetLeases, type FleetLeases } from '#functions/deliver/destination/fleet-leases.ts';
import { connectionLeasesRecord } from '#pipeline/contract/records/connection-leases.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';

const destination = '192.0.2.1 port 25';
const limit = 5;
const longestMs = 300_000;
const silent = { info: () => {}, warn: () => {}, error: () => {} };

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** Processes over one store, each with a clock of its own; the store counts its calls and fails when it is told to. */
function fleet(size: number, skewMs: (n: number) => number = () => 0) {
  const time = { now: Date.parse('2026-11-26T12:00:00.000Z') };
  const memory = createMemoryStore(() => time.now);
  const calls = { gets: 0, puts: 0, isFailing: false };
  const counted =
    <Given extends readonly unknown[], Answer>(kind: 'gets' | 'puts', call: (...given: Given) => Answer) =>
    (...given: Given): Answer => {
      calls[kind] += 1;
      if (calls.isFailing) throw new Error('S3 answers 503');
      return call(...given);
    };
  const store = { ...memory, get: counted('gets', memory.get), put: counted('puts', memory.put) };
  const start = (n: number): FleetLeases =>
    createFleetLeases({ store, clock: () => time.now + skewMs(n), log: silent, owner: `process ${n}` });
  const leased = async (): Promise<number> => {
    const record = await connectionLeasesRecord.find(memory, connectionLeasesRecord.key(destination));
    return record?.leases.reduce((sum, { connections }) => sum + connections, 0) ?? 0;
  };
  return { time, calls, leased, processes: Array.from({ length: size }, (_, n) => start(n)) };
}

type Event = { readonly at: number; readonly run: () => Promise<void> };

/** `jobs` at once for one destination, each taking `jobMs` there, handed in batches of five to whichever of 50 processes is free. */
async function simulate({ jobs, jobMs, seed = 1, skewMs = 0, failsFromTo = [0, 0] }: Simulated) {
  const random = randomFrom(seed);
  const { time, calls, processes } = fleet(50, (n) => skewMs * ((n % 3) - 1));
  const start = time.now;
  const events: Event[] = [];
  const at = (after: number, run: () => Promise<void>): void => {
    const due = time.now + after;
    const place = events.findLastIndex((event) => event.at > due) + 1;
    events.splice(place, 0, { at: due, run });
  };
  const seen = { open: 0, most: 0, done: 0, handOuts: 0, lastDoneAt: start };
  const ready = Array.from({ length: jobs }, (_, n) => n);
  const free = processes.map((_, n) => n);
  const end = async (n: number): Promise<void> => {
    await processes[n]!.giveBack();
    free.push(n);
    await handOut();
  };
  const runBatch = async (n: number, batch: readonly number[]): Promise<void> => {
    const leases = processes[n]!;
    let running = 0;
    seen.handOuts += batch.length;
    const uses = await Promise.all(batch.map(() => leases.acquire(destination, limit).catch(() => null)));
    for (const [index, use] of uses.entries()) {
      if (use === null) {
        at(leases.waitMs(destination, { longestMs, random }), async () => {
          ready.push(batch[index]!);
          await handOut();
        });
        continue;
      }
      running += 1;
      seen.open += 1;
      seen.most = Math.max(seen.most, seen.open);
      const renewing = (): void => {
        at(5_000, async () => {
          if (running === 0) return;
          await leases.renew();
          renewing();
        });
      };
      if (running === 1) renewing();
      at(jobMs * (0.5 + random()), async () => {
        seen.open -= 1;
        running -= 1;
        use.release();
        seen.done += 1;
        seen.lastDoneAt = time.now;
        if (running === 0) await end(n);
      });
    }
    if (running === 0) await end(n);
  };
  const handOut = async (): Promise<void> => {
    while (ready.length > 0 && free.length > 0) {
      const [n] = free.splice(Math.floor(random() * free.length), 1);
      at(20, () => runBatch(n!, ready.splice(0, 5)));
      if (ready.length <= 5 * (50 - free.length)) break;
    }
  };
  await handOut();
  for (let next = events.pop(); next !== undefined && seen.done < jobs; next = events.pop()) {
    time.now = next.at;
    calls.isFailing = time.now - start >= failsFromTo[0] && time.now - start < failsFromTo[1];
    await next.run();
  }
  const idealMs = (jobs * jobMs) / limit;
  return {
    ...seen,
    calls,
    tookMs: seen.lastDoneAt - start,
    idealMs,
    puts: calls.puts / jobs,
    perJob: seen.handOuts / jobs,
  };
}

type Simulated = {
  readonly jobs: number;
  readonly jobMs: number;
  readonly seed?: number;
  readonly skewMs?: number;
  readonly failsFromTo?: readonly [number, number];
};

for (const { title, mostPuts, ...given } of [
  { title: 'of a second each', jobs: 500, jobMs: 1_000, mostPuts: 2.2 },
  { title: 'of ten seconds each', jobs: 300, jobMs: 10_000, mostPuts: 2.2 },
  { title: 'of two minutes each, whose leases are renewed', jobs: 60, jobMs: 120_000, mostPuts: 5 },
  { title: 'by clocks that are five seconds off', jobs: 300, jobMs: 10_000, skewMs: 5_000, mostPuts: 2.2 },
  {
    title: 'while the store fails for five minutes',
    jobs: 300,
    jobMs: 5_000,
    failsFromTo: [20_000, 320_000] as const,
    mostPuts: 2.2,
  },
]) {
  test(`50 processes with many jobs ${title} never have more than five connections, and all jobs get theirs`, async (t) => {
    const seen = await simulate(given);
    t.diagnostic(JSON.stringify(seen));
    assert.equal(seen.done, given.jobs);
    assert.equal(seen.most, limit);
    assert.ok(seen.puts < mostPuts, `${seen.puts} writes a job`);
    const pauseMs = 'failsFromTo' in given ? longestMs + given.failsFromTo[1] : 120_000;
    assert.ok(
      seen.tookMs < 3 * seen.idealMs + pauseMs,
      `the last waited ${seen.tookMs} ms, ideal is ${seen.idealMs} ms`,
    );
  });
}

test('fifty processes that ask at once get five connections together', async () => {
  const { processes, leased } = fleet(50);
  const asked = await Promise.all(processes.map((leases) => leases.acquire(destination, limit)));
  assert.equal(asked.filter((use) => use !== null).length, await leased());
  assert.ok((await leased()) > 0 && (await leased()) <= limit);
});

test('five jobs of one process cost one write, and a hundred after them in the half minute none', async () => {
  const { processes, calls, time } = fleet(1);
  const leases = processes[0]!;
  const uses = await Promise.all(Array.from({ length: limit }, () => leases.acquire(destination, limit)));
  assert.equal(uses.filter((use) => use !== null).length, limit);
  assert.equal(await leases.acquire(destination, limit), null);
  for (const use of uses) use?.release();
  for (let n = 0; n < 100; n++) {
    time.now += 150;
    (await leases.acquire(destination, limit))?.release();
  }
  assert.deepEqual([calls.gets, calls.puts], [1, 1]);
});

test('the connections of a process that was killed are free again after 40 seconds', async () => {
  const { processes, time } = fleet(2);
  for (let n = 0; n < limit; n++) await processes[0]!.acquire(destination, limit);
  time.now += 39_999;
  assert.equal(await processes[1]!.acquire(destination, limit), null);
  time.now += 501;
  assert.notEqual(await processes[1]!.acquire(destination, limit), null);
});

test('the longer all others have had their connections, the later a process asks again', async () => {
  const { processes, time } = fleet(2);
  const [holder, waiter] = [processes[0]!, processes[1]!];
  for (let n = 0; n < limit; n++) await holder.acquire(destination, limit);
  const waits: number[] = [];
  for (let seconds = 0; seconds < 600; seconds += 10) {
    time.now += 10_000;
    await holder.renew();
    if (seconds % 120 !== 0) continue;
    assert.equal(await waiter.acquire(destination, limit), null);
    waits.push(waiter.waitMs(destination, { longestMs, random: () => 0 }));
  }
  assert.ok(waits[0]! < 4_000 && waits[1]! > 30_000 && waits.at(-1)! > 60_000, `${waits}`);
});

test('what others may wait for is given back at the end of an invocation, and what nobody waits for is kept', async () => {
  const { processes, leased } = fleet(2);
  const [first, second] = [processes[0]!, processes[1]!];
  (await first.acquire(destination, limit))?.release();
  await first.giveBack();
  assert.equal(await leased(), 1);
  for (let n = 1; n < limit; n++) (await second.acquire(destination, limit))?.release();
  await second.giveBack();
  assert.equal(await leased(), 1 + 1, 'one was enough for jobs that came one after the other');
});

test('a destination in trouble has one connection for the whole fleet; what is open stays covered', async () => {
  const { processes, leased, time } = fleet(2);
  for (let n = 0; n < 3; n++) await processes[0]!.acquire(destination, limit);
  assert.equal(await processes[0]!.acquire(destination, 1), null);
  for (let seconds = 0; seconds < 120; seconds += 5) {
    time.now += 5_000;
    await processes[0]!.renew();
  }
  assert.equal(await leased(), 3);
  assert.equal(await processes[1]!.acquire(destination, 1), null);
});
