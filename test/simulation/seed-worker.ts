// A process of `npm run simulate`: plays each seed that it is sent, and reports it.
import type { PlantedFault } from './planted.ts';
import { reportSeed } from './report-seed.ts';

process.on('message', async ({ seed, planted }: { seed: number; planted: PlantedFault | null }) => {
  const report = await reportSeed(seed, { planted }).catch((thrown: unknown) => ({
    seed,
    failed: String((thrown as Error).stack),
  }));
  process.send?.(report);
});
