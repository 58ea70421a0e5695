// Copies the write-ahead log into the database file while nobody asks for anything: little at a time, so that neither a commit nor a list waits
// for it. What is durable is durable in the log already. If there is never a pause, SQLite does it in a commit, as it is set (database.ts).

/** Of the database thread, which the checkpoint keeps busy for some milliseconds. */
const idleMs = 10;
/** Each costs two fsyncs, however little there is. */
const everyMs = 1_000;

export type IdleCheckpoint = {
  /** Says that a batch was worked off. */
  readonly worked: () => void;
  readonly stop: () => void;
};

/** `changes`: a count that grows with each change. `now`: in milliseconds, of a clock that runs evenly. */
export function checkpointWhenIdle(
  { checkpoint, changes }: { readonly checkpoint: () => void; readonly changes: () => number },
  now: () => number = () => performance.now(),
): IdleCheckpoint {
  let timer: NodeJS.Timeout | undefined;
  let [copiedAt, copied] = [Number.NEGATIVE_INFINITY, changes()];
  const later = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(look, ms).unref();
  };
  const look = (): void => {
    const written = changes();
    if (written === copied) return;
    const restMs = copiedAt + everyMs - now();
    if (restMs > 0) {
      later(restMs);
      return;
    }
    try {
      checkpoint();
      copied = written;
    } catch {
      // A full disk, or a broken one: whoever writes next is told.
    }
    copiedAt = now();
  };
  return { worked: () => later(idleMs), stop: () => clearTimeout(timer) };
}
