// Tells the log of what strangers do by the thousand, in a few lines: an address's first time at once, then every ten
// seconds how often it went on.

export type AddressTally = {
  readonly add: (ip: string) => void;
  /** Tells what is left to tell. */
  readonly stop: () => void;
};

const tellEveryMs = 10_000;
/** Addresses told of by name between two rounds; the others are told as one sum. */
const maxTold = 20;
const maxAddresses = 10_000;

/** Counts by address; `tell` hears how often each did it since the last time, an address of null: all others together. */
export function tallyByAddress(tell: (ip: string | null, count: number) => void): AddressTally {
  let counts = new Map<string, number>();
  let others = 0;
  let timer: NodeJS.Timeout | undefined;

  const tellAll = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const busiest = [...counts].filter(([, count]) => count > 0).sort(([, one], [, other]) => other - one);
    for (const [ip, count] of busiest.slice(0, maxTold)) tell(ip, count);
    const rest = busiest.slice(maxTold).reduce((sum, [, count]) => sum + count, others);
    if (rest > 0) tell(null, rest);
    counts = new Map();
    others = 0;
    if (busiest.length > 0) timer = setTimeout(tellAll, tellEveryMs).unref();
  };
  return {
    add: (ip) => {
      timer ??= setTimeout(tellAll, tellEveryMs).unref();
      const count = counts.get(ip);
      if (count !== undefined) counts.set(ip, count + 1);
      else if (counts.size < maxTold) {
        counts.set(ip, 0);
        tell(ip, 1);
      } else if (counts.size < maxAddresses) counts.set(ip, 1);
      else others += 1;
    },
    stop: () => {
      tellAll();
      clearTimeout(timer);
    },
  };
}
