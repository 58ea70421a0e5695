// Whether a stage of a session gets a fault: first if an address asks for one, else by chance.
import { LRUCache } from 'lru-cache';
import type { AskedFault } from '#pipeline/chaos/fault-words.ts';
import type { ChaosSettings, ChaosStage } from '#pipeline/chaos/settings.ts';
import { boundedTable } from '#pipeline/run/bounded-table.ts';
import { type Fault, makeFault } from './fault.ts';

/** An address of the transaction, and the fault that its local part asks for. */
export type Asker = { readonly address: string; readonly localPart: string; readonly asked: AskedFault | null };

export type DrawFault = (stage: ChaosStage, askers: readonly Asker[]) => DrawnFault | null;

/** `asker`: who asked for it; null: it came by chance. */
export type DrawnFault = { readonly fault: Fault; readonly asker: Asker | null };

const countedAddresses = 10_000;
const countedMs = 86_400_000; // who tries again after a day begins anew

/** Draws under these settings; how often an address had its fault is counted from here on. `random`: from 0 to 1. */
export function createDraw({ stages }: ChaosSettings, random: () => number): DrawFault {
  const had = new LRUCache<string, number>({ ...boundedTable(countedAddresses), ttl: countedMs });

  /** How many faults the address has had with this one; null if it has had all. */
  function count(written: string, times: number): number | null {
    const address = written.toLowerCase(); // a sender may write it in another case when it tries again
    const before = had.get(address) ?? 0;
    if (before < times) had.set(address, before + 1);
    else had.delete(address);
    return before < times ? before + 1 : null;
  }

  function askedBy(stage: ChaosStage, { address, localPart, asked }: Asker): Fault | null {
    if (asked?.stage !== stage) return null;
    const [name = ''] = localPart.split('+');
    if (asked.times === null) return makeFault(asked, { stage, why: `as ${name} asks` });
    const n = count(address, asked.times);
    return n === null ? null : makeFault(asked, { stage, why: `as ${name} asks, ${n} of ${asked.times}` });
  }

  function byChance(stage: ChaosStage): Fault | null {
    const chances = stages[stage];
    if (chances.length === 0) return null;
    let left = random() * 100;
    for (const chance of chances) {
      if (left < chance.percent) return makeFault(chance, { stage, why: `by a chance of ${chance.percent} %` });
      left -= chance.percent;
    }
    return null;
  }

  return (stage, askers) => {
    for (const asker of askers) {
      const fault = askedBy(stage, asker);
      if (fault !== null) return { fault, asker };
    }
    const fault = byChance(stage);
    return fault === null ? null : { fault, asker: null };
  };
}
