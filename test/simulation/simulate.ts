// `npm run simulate -- --seeds 1000 [--from N]`: plays seeds over all processors and says which promises were broken.
// `-- --seed N [--trace]` replays one. `--plant NAME` plants a fault.
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isPlantedFault, type PlantedFault, plantedFaults } from './planted.ts';
import { reportSeed, type SeedReport } from './report-seed.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    plant: { type: 'string' },
  },
});
const planted = values.plant === undefined ? null : plantedFault(values.plant);
const failed = values.seed === undefined ? await playMany() : await playOne(Number(values.seed));
process.exitCode = failed > 0 ? 1 : 0;

function plantedFault(name: string): PlantedFault {
  if (isPlantedFault(name)) return name;
  console.error(`--plant ${name}: expected one of ${Object.keys(plantedFaults).join(', ')}`);
  process.exit(2);
}

async function playOne(seed: number): Promise<number> {
  const report = await reportSeed(seed, { planted, isTraced: values.trace });
  print(report);
  console.log(`seed ${seed}: trace ${report.hash}, ${report.events} events, ${JSON.stringify(report.fates)}`);
  return report.broken.length;
}

async function playMany(): Promise<number> {
  const startedAt = performance.now();
  const [from, count] = [Number(values.from), Number(values.seeds)];
  const seeds = Array.from({ length: count }, (_, n) => from + n).values();
  const sum = { played: 0, broken: 0, events: 0, virtualMs: 0, fates: new Map<string, number>() };
  const hear = (report: SeedReport | { readonly seed: number; readonly failed: string }): void => {
    sum.played += 1;
    if ('failed' in report) {
      sum.broken += 1;
      console.log(`seed ${report.seed} could not be played: ${report.failed}`);
      return;
    }
    if (report.broken.length > 0) sum.broken += 1;
    print(report);
    sum.events += report.events;
    sum.virtualMs += report.virtualMs;
    for (const [fate, places] of Object.entries(report.fates)) sum.fates.set(fate, (sum.fates.get(fate) ?? 0) + places);
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), count) }, () => runWorker(seeds, hear)));
  const seconds = (performance.now() - startedAt) / 1_000;
  const fates = [...sum.fates].map(([fate, places]) => `${places} ${fate}`).join(', ');
  console.log(
    [
      `${sum.played} seeds in ${seconds.toFixed(0)} s: ${sum.broken} failed`,
      `${(sum.virtualMs / 86_400_000).toFixed(0)} days of virtual time, ${sum.events} events; places of acknowledged messages: ${fates}`,
    ].join('\n'),
  );
  return sum.broken;
}

/** Plays what is left of the seeds, one after the other, in a process of its own. */
function runWorker(seeds: Iterator<number>, hear: (report: SeedReport) => void): Promise<void> {
  const worker = fork(new URL('./seed-worker.ts', import.meta.url));
  const playNext = (): void => {
    const { done, value: seed } = seeds.next();
    if (done) worker.disconnect();
    else worker.send({ seed, planted });
  };
  worker.on('message', (report: SeedReport) => {
    hear(report);
    playNext();
  });
  playNext();
  return new Promise((resolve, reject) => {
    worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with code ${code}`))));
  });
}

function print({ seed, broken, trace }: SeedReport): void {
  for (const line of trace) console.log(line);
  for (const what of broken) console.log(`seed ${seed}: ${what}`);
  if (broken.length > 0) {
    const plant = planted === null ? '' : ` --plant ${planted}`;
    console.log(`to replay it: npm run simulate -- --seed ${seed} --trace${plant}`);
  }
}
