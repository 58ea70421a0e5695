// Fifty processes that deliver from one store to one host, as on AWS: leases, connection pools and sockets are the real ones.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliver } from '#functions/deliver/deliver.ts';
import type { DeliverDeps } from '#functions/deliver/deliver-deps.ts';
import { createFleetLeases } from '#functions/deliver/destination/fleet-leases.ts';
import { createConnectionPool } from '#functions/deliver/smtp/connection-pool.ts';
import { withLeases } from '#functions/deliver/with-leases.ts';
import { createWorkerMemory } from '#functions/deliver/worker-memory.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { type CountingMx, startCountingMx } from '#test/support/peers/counting-mx.ts';
import { deliveryWorld } from './delivery-world.ts';

const size = 50;
const batchSize = 5;

function fleetWorld(mx: CountingMx) {
  const world = deliveryWorld({ port: mx.port });
  const start = (): DeliverDeps & Required<Pick<DeliverDeps, 'leases'>> => {
    const memory = createWorkerMemory();
    const leases = createFleetLeases({ ...world.deps, owner: memory.owner });
    return { ...world.deps, memory, leases, connections: createConnectionPool(), soleWorker: false };
  };
  return { world, processes: Array.from({ length: size }, start) };
}

test('a host sees five connections at most from fifty processes with 100 jobs; what waits says for what', async (t) => {
  const mx = await startCountingMx({ ip: '127.0.0.1', pauseMs: 5 });
  const { world, processes } = fleetWorld(mx);
  t.after(() => Promise.all([mx.close(), world.close(), ...processes.map(({ connections }) => connections.close())]));
  const reasons = new Set<string>();
  let left: readonly DeliverJob[] = Array.from({ length: 100 }, () => world.job());
  for (let round = 0; left.length > 0 && round < 100; round++) {
    const again: DeliverJob[] = [];
    const invoke = (deps: (typeof processes)[number], batch: readonly DeliverJob[]) =>
      withLeases(deps, () =>
        Promise.all(
          batch.map(async (job) => {
            const outcome = await deliver(deps, job, { receiveCount: 1 });
            if (outcome.outcome === 'delivered') return;
            assert.equal(outcome.outcome, 'waiting');
            if (outcome.outcome === 'waiting') reasons.add(outcome.reason);
            again.push(job);
          }),
        ),
      );
    const jobs = left;
    // Each round other processes get the jobs.
    await Promise.all(
      processes.map((_, n) =>
        invoke(processes[(n * 7 + round * 11) % size]!, jobs.slice(n * batchSize, (n + 1) * batchSize)),
      ),
    );
    left = again;
    world.clock.set(world.clock() + 2_000);
  }
  assert.equal(mx.count(), 100);
  assert.equal(left.length, 0);
  assert.ok(mx.mostAtOnce() <= 5, `${mx.mostAtOnce()} connections at once`);
  assert.match([...reasons].join(), /^waits for a free connection to 127\.0\.0\.1 port \d+/);
});

test('a sandbox that is frozen between invocations has no connection open', async (t) => {
  const mx = await startCountingMx({ ip: '127.0.0.1' });
  const { world, processes } = fleetWorld(mx);
  t.after(() => Promise.all([mx.close(), world.close()]));
  for (const deps of processes.slice(0, 10)) {
    await withLeases(deps, () => deliver(deps, world.job(), { receiveCount: 1 }));
    // Its lease is over before the next comes, so that only an idle connection could be one too many.
    world.clock.set(world.clock() + 60_000);
  }
  assert.equal(mx.count(), 10);
  assert.equal(mx.mostAtOnce(), 1);
});

test('one message to a host costs one lease: a GET and a PUT more, and none for those of the next half minute', async (t) => {
  const mx = await startCountingMx({ ip: '127.0.0.1' });
  const { world, processes } = fleetWorld(mx);
  t.after(() => Promise.all([mx.close(), world.close()]));
  const puts: string[] = [];
  const deps = processes[0]!;
  const store: DeliverDeps['store'] = {
    ...deps.store,
    put: (object) => {
      puts.push(object.key);
      return deps.store.put(object);
    },
  };
  const leases = createFleetLeases({ ...deps, store, owner: deps.memory.owner });
  for (let n = 0; n < 3; n++) {
    await withLeases({ ...deps, leases }, () => deliver({ ...deps, leases }, world.job(), { receiveCount: 1 }));
    world.clock.set(world.clock() + 5_000);
  }
  assert.equal(mx.count(), 3);
  assert.equal(puts.length, 1);
  assert.match(puts[0]!, /^destinations\/connections%20127\.0\.0\.1%20port%20\d+\.json$/);
});
