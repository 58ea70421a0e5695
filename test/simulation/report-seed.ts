// A seed played and checked, in a few words.
import { checkOutcome, countFates } from './checker.ts';
import type { PlantedFault } from './planted.ts';
import { playSeed, traceHash } from './world.ts';

export type SeedReport = {
  readonly seed: number;
  /** A sentence for each promise that was broken. */
  readonly broken: readonly string[];
  readonly hash: string;
  /** How many of its messages' places came to which end. */
  readonly fates: Readonly<Record<string, number>>;
  readonly events: number;
  readonly virtualMs: number;
  /** All lines if asked for, else the last ones of a seed that failed. */
  readonly trace: readonly string[];
};

const tailLines = 40;

/** Plays one. If the world itself breaks, that is a failure of the seed. */
export async function reportSeed(
  seed: number,
  { planted = null, isTraced = false }: { readonly planted?: PlantedFault | null; readonly isTraced?: boolean } = {},
): Promise<SeedReport> {
  const outcome = await playSeed(seed, planted);
  const broken = checkOutcome(outcome);
  const { trace, events, startMs, endMs } = outcome;
  return {
    seed,
    broken,
    hash: traceHash(trace),
    fates: countFates(outcome),
    events,
    virtualMs: endMs - startMs,
    trace: isTraced ? trace : broken.length > 0 ? trace.slice(-tailLines) : [],
  };
}
