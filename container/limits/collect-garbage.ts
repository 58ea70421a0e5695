// While a large message streams through, what is read becomes garbage at once, but Node keeps it outside V8's heap, and V8 lets
// some 64 MiB of it pile up before it collects. A collection of the young objects now and then costs a millisecond.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const everyBytes = 8_388_608;
/** While V8 marks for its next major collection, buffers grow old that are garbage already. A major one takes some 30 ms. */
const mostGrowthBytes = 16_777_216;

const collect = findCollector();
let readSince = 0;
let leastExternal = Number.POSITIVE_INFINITY;

/** Call it for every read of a large body: it collects each 8 MiB. Without effect if the engine offers no collection. */
export function collectGarbage(readBytes: number): void {
  readSince += readBytes;
  if (readSince < everyBytes) return;
  readSince = 0;
  collect('minor');
  const { external } = process.memoryUsage();
  leastExternal = Math.min(leastExternal, external);
  if (external - leastExternal < mostGrowthBytes) return;
  collect('major');
  leastExternal = process.memoryUsage().external;
}

function findCollector(): (type: 'minor' | 'major') => void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return typeof gc === 'function' ? (type) => gc({ type }) : () => {};
}
