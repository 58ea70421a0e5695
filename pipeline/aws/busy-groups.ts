// Which groups of a fair queue send much. A request for jobs with a group costs a quarter more, and SQS takes a job without one for a
// group of its own: so only those carry it that might fill the queue.
import type { Clock } from '#pipeline/contract/ports.ts';

const windowMs = 60_000;
/** Of the jobs in flight SQS looks at a group's share once it has 30. */
const quietJobs = 10;

/** Counts each job; answers whether its group has more than ten in this minute and the one before it. */
export function createBusyGroups(clock: Clock): (group: string) => boolean {
  let window = 0;
  let [before, now] = [new Map<string, number>(), new Map<string, number>()];
  return (group) => {
    const current = Math.floor(clock() / windowMs);
    if (current !== window) {
      before = current === window + 1 ? now : new Map();
      now = new Map();
      window = current;
    }
    const count = (now.get(group) ?? 0) + 1;
    now.set(group, count);
    return count + (before.get(group) ?? 0) > quietJobs;
  };
}
