import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LRUCache } from 'lru-cache';
import { boundedTable } from '#pipeline/run/bounded-table.ts';

test('a full table forgets the entry that was not used for the longest time', () => {
  const table = new LRUCache<string, number>(boundedTable(2));
  table.set('first', 1).set('second', 2);
  table.get('first');
  table.set('third', 3);
  assert.deepEqual([...table.keys()].sort(), ['first', 'third']);
});

test('an empty table takes no memory for the entries that it may hold', () => {
  const used = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  const before = used();
  const table = new LRUCache<string, number>(boundedTable(5_000_000));
  assert.ok(used() - before < 5_000_000, `${used() - before} bytes`);
  assert.equal(table.size, 0);
});
