// While a large message streams through, what the socket reads into is garbage at once, but Node counts it outside the
// heap and lets some 64 MiB of it pile up before it looks. A look at the young objects now and then costs a millisecond.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const everyBytes = 8_388_608;

/** Told of every read; looks for garbage each 8 MiB. Without effect if the engine offers no such look. */
export function createYoungMemory(): (readBytes: number) => void {
  const collect = findCollector();
  let bytes = 0;
  return (readBytes) => {
    bytes += readBytes;
    if (bytes < everyBytes) return;
    bytes = 0;
    collect();
  };
}

function findCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return typeof gc === 'function' ? () => gc({ type: 'minor' }) : () => {};
}
