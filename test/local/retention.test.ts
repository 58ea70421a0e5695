// What is over its time goes each hour; what is free goes back to the disk each minute, whoever deleted it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startRetention } from '#local/retention.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { fixedConfigSource } from '#pipeline/config/config-source.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';

const minute = 60_000;

test('old mail is looked for each hour, free space each minute; both go on at once while there is more', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  const [toSweep, toShrink] = [
    [200, 30],
    [true, true],
  ];
  const done: string[] = [];
  const stop = startRetention({
    sweep: async () => {
      done.push(`${now / minute} sweep`);
      return toSweep.shift() ?? 0;
    },
    shrink: async () => {
      done.push(`${now / minute} shrink`);
      return toShrink.shift() ?? false;
    },
    config: fixedConfigSource(configSchema.parse({ mode: 'capture' })),
    clock: () => now,
    log: silentLog(),
  });
  t.after(stop);
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 250) {
      now += 250;
      t.mock.timers.tick(250);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await pass(minute + 2_000);
  const whatOf = (): readonly (string | undefined)[] => done.map((line) => line.split(' ')[1]);
  assert.deepEqual(whatOf(), ['sweep', 'sweep', 'sweep', 'shrink', 'shrink', 'shrink']);
  done.length = 0;
  await pass(3 * minute);
  assert.deepEqual(whatOf(), ['shrink', 'shrink', 'shrink']);
  done.length = 0;
  await pass(57 * minute);
  assert.deepEqual(
    whatOf().filter((what) => what === 'sweep'),
    ['sweep'],
  );
});
