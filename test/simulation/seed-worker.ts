// A process of `npm run simulate`: plays the seeds that it is sent, and reports each.
import type { PlantedFault } from './planted.ts';
import { reportSeed } from './report-seed.ts';

process.on('message', async ({ seeds, planted }: { seeds: number[]; planted: PlantedFault | null }) => {
  for (const seed of seeds) {
    const report = await reportSeed(seed, { planted }).catch((thrown: unknown) => ({
      seed,
      failed: String((thrown as Error).stack),
    }));
    process.send?.(report);
  }
  process.send?.('more');
});
process.send?.('more');
