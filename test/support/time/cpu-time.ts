// How long something takes of the processor: a busy machine does not make it look slow.

/** Runs it and answers the milliseconds of processor time it took. */
export function cpuMs(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
