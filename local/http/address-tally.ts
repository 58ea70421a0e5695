// Logs in a few lines what happens thousands of times: the first time of an address at once, then every ten seconds a count.

export type AddressTally = {
  readonly add: (ip: string) => void;
  /** Reports what was not reported yet. */
  readonly stop: () => void;
};

const roundMs = 10_000;
/** Addresses reported by name in one round; the others are one sum. */
const maxNamed = 20;
const maxAddresses = 10_000;

/** Counts by address; `report` gets the count of each since the last round, for null that of all other addresses. */
export function tallyByAddress(report: (ip: string | null, count: number) => void): AddressTally {
  let counts = new Map<string, number>();
  let others = 0;
  let timer: NodeJS.Timeout | undefined;

  const reportAll = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const busiest = [...counts].filter(([, count]) => count > 0).sort(([, one], [, other]) => other - one);
    for (const [ip, count] of busiest.slice(0, maxNamed)) report(ip, count);
    const rest = busiest.slice(maxNamed).reduce((sum, [, count]) => sum + count, others);
    if (rest > 0) report(null, rest);
    counts = new Map();
    others = 0;
    if (busiest.length > 0) timer = setTimeout(reportAll, roundMs).unref();
  };
  return {
    add: (ip) => {
      timer ??= setTimeout(reportAll, roundMs).unref();
      const count = counts.get(ip);
      if (count !== undefined) counts.set(ip, count + 1);
      else if (counts.size < maxNamed) {
        counts.set(ip, 0);
        report(ip, 1);
      } else if (counts.size < maxAddresses) counts.set(ip, 1);
      else others += 1;
    },
    stop: () => {
      reportAll();
      clearTimeout(timer);
    },
  };
}
