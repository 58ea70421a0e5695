// The whole path of this checkout beside that of another (an earlier version), round by round in turn, so that a noisy machine is
// noisy for both.
import { median, shown } from '#bench/figures/statistics.ts';
import type { Row } from '#bench/figures/table.ts';
import { startService } from '#bench/load/start-service.ts';
import { type Sustained, sustain } from './sustained.ts';

const burst = 1_000;

type Pair = { readonly here: Sustained; readonly there: Sustained };

/** One row for the rate and two for processor time, each with the median of the rounds' ratios: this one to the other. */
export async function measureBeside(checkout: string, rounds: number): Promise<readonly Row[]> {
  const [here, there] = [await startService('embedded'), await startService('embedded', {}, { checkout })];
  const pairs: Pair[] = [];
  for (let round = 0; round <= rounds; round++) {
    const pair = { here: await sustain(here, burst), there: await sustain(there, burst) };
    if (round > 0) pairs.push(pair); // The first warms both up.
  }
  await Promise.all([here.stop(), there.stop()]);
  return [
    row(pairs, 'rate to inbox/', 'rate', '/s'),
    row(pairs, 'processor time to inbox/', 'storedMs', ' ms'),
    row(pairs, 'processor time to the index', 'indexedMs', ' ms'),
  ];
}

function row(pairs: readonly Pair[], what: string, figure: keyof Sustained, unit: string): Row {
  const middle = (of: (pair: Pair) => number): string => `${shown(median(pairs.map(of)))}${unit}`;
  return {
    what: `${what}, 4 KiB`,
    value: middle(({ here }) => here[figure]),
    beside: `the other checkout ${middle(({ there }) => there[figure])}`,
    ratio: median(pairs.map(({ here, there }) => here[figure] / there[figure])),
    target: null,
  };
}
