// The order in which jobs of one queue are handed out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createReadyJobs } from '#local/embedded/queue/ready-jobs.ts';

const always = () => true;

function filled(groups: readonly string[]) {
  const ready = createReadyJobs();
  for (const [seq, group] of groups.entries()) ready.add({ seq, due: seq, group });
  return ready;
}

test('a network that floods from zone to zone gets no more turns than a network with one mail', () => {
  const flood = Array.from({ length: 300 }, (_, n) => `192.0.2.0/24 zone${n}.test`);
  const ready = filled([...flood, '198.51.100.0/24 sender.example', '203.0.113.0/24 other.example']);
  const first = ready.take(3, always).map(({ group }) => group);
  assert.deepEqual(first, [flood[0], '198.51.100.0/24 sender.example', '203.0.113.0/24 other.example']);
});

test('within a network, a zone that floods gets no more turns than one with a single mail', () => {
  const flood = Array.from({ length: 300 }, () => '192.0.2.0/24 dead.test');
  const ready = filled([...flood, '192.0.2.0/24 sender.example']);
  assert.deepEqual(
    ready.take(3, always).map(({ seq }) => seq),
    [0, 300, 1],
  );
});

test('of the groups that share a first word, no more are taken than may be', () => {
  const ready = filled(['n a.test', 'n b.test', 'n c.test', 'm a.test']);
  const taken = new Map<string, number>();
  const mayTake = (share: string): boolean => {
    const count = (taken.get(share) ?? 0) + 1;
    taken.set(share, count);
    return count <= 2;
  };
  assert.deepEqual(
    ready.take(10, mayTake).map(({ group }) => group),
    ['n a.test', 'm a.test', 'n b.test'],
  );
  assert.equal(ready.size(), 1);
});

test('a job that is put back is the next of its group again, and all are handed out in the end', () => {
  const ready = filled(['n a.test', 'n a.test', '', '']);
  const [job] = ready.take(1, always);
  ready.putBack(job!);
  assert.equal(ready.oldestDue(), 0);
  const all = ready.take(10, always).map(({ seq }) => seq);
  assert.ok(all.indexOf(0) < all.indexOf(1) && all.indexOf(2) < all.indexOf(3));
  assert.deepEqual([...all].sort(), [0, 1, 2, 3]);
  assert.equal(ready.size(), 0);
  assert.equal(ready.oldestDue(), null);
});

test('a hundred thousand zones of one network are all handed out', () => {
  const ready = filled(Array.from({ length: 100_000 }, (_, n) => `n z${n}.test`));
  const seqs = ready.take(200_000, always).map(({ seq }) => seq);
  assert.equal(new Set(seqs).size, 100_000);
});
