// The simulator in little: some seeds hold, a seed replays to the same trace, and planted faults are found. `npm run simulate` plays more.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { isPlantedFault, type PlantedFault, plantedFaults } from './planted.ts';
import { reportSeed } from './report-seed.ts';

/** As many as come to each end. */
const seeds = 30;

test('whatever fails, each acknowledged message comes to one end, unaltered and in time', async (context) => {
  const fates = new Map<string, number>();
  for (let seed = 1; seed <= seeds; seed++) {
    const { broken, fates: found, trace } = await reportSeed(seed);
    const replay = `npm run simulate -- --seed ${seed} --trace`;
    assert.deepEqual(broken, [], `seed ${seed}: ${broken.join('; ')}\n${trace.join('\n')}\nto replay it: ${replay}`);
    for (const [fate, places] of Object.entries(found)) fates.set(fate, (fates.get(fate) ?? 0) + places);
  }
  context.diagnostic([...fates].map(([fate, places]) => `${places} ${fate}`).join(', '));
  for (const fate of ['in the inbox', 'in quarantine', 'delivered', 'bounced', 'dead-lettered']) {
    assert.ok(fates.has(fate), `no message of ${seeds} seeds came to be ${fate}`);
  }
});

test('a seed replays to the same trace, in another process too, whose files are slow to read', async () => {
  const [once, again] = [await reportSeed(12, { isTraced: true }), await reportSeed(12, { isTraced: true })];
  assert.deepEqual(again, once);
  assert.ok(once.trace.length > 100);
  const command = [
    '--import',
    './test/simulation/slow-files.ts',
    'test/simulation/simulate.ts',
    '--seed',
    '12',
    '--trace',
  ];
  const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: join(import.meta.dirname, '../..') });
  assert.deepEqual(stdout.split('\n').slice(0, once.trace.length), once.trace);
});

/** How each planted fault shows, and the seed from which on it is looked for: one that has found it. */
const signs: Readonly<Record<PlantedFault, { readonly from: number; readonly sign: RegExp }>> = {
  'ack-before-store': { from: 3, sign: /lost/ },
  'inbox-unconditional': { from: 2, sign: /at once in the inbox and in the inbox/ },
  'delete-first': { from: 1, sign: /lost/ },
  'dead-letter-dropped': { from: 1, sign: /lost/ },
  'record-unconditional': { from: 72, sign: /twice at other hosts/ },
  'record-late': { from: 3, sign: /lost/ },
  'bytes-changed': { from: 1, sign: /not as it was sent/ },
  'unwatched-dead-letters': { from: 1, sign: /without an alarm/ },
  'put-back-dropped': { from: 133, sign: /lost/ },
  'job-swallowed': { from: 7, sign: /lost/ },
};
const enough = 150;

for (const [fault, { from, sign }] of Object.entries(signs)) {
  if (!isPlantedFault(fault)) continue;
  test(`it is found within ${enough} seeds if ${plantedFaults[fault]}`, async () => {
    for (let seed = from; seed < from + enough; seed++) {
      const { broken } = await reportSeed(seed, { planted: fault });
      if (broken.some((what) => sign.test(what))) return;
    }
    assert.fail(`${enough} seeds did not find it`);
  });
}
