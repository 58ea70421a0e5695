// What the database thread holds of the queues in memory: which jobs are ready, which are leased and until when, and the one time at
// which something is due next. Jobs that are due later are rows alone and cost nothing here.
import { isQueueName, type QueueName } from '#pipeline/contract/stages.ts';
import { createReadyJobs, type ReadyJob, type ReadyJobs, shareOf } from './ready-jobs.ts';

/** The name of a queue as a row has it; throws where it is none. */
export function queueName(value: unknown): QueueName {
  if (isQueueName(value)) return value;
  throw new Error(`unknown queue in the database: ${String(value)}`);
}

/** A job that is out; it comes again after `expires` (milliseconds since 1970) unless it is answered for. */
export type Lease = ReadyJob & {
  readonly queue: QueueName;
  readonly expires: number;
  /** Until then it counts among those of its group that are out. */
  readonly countsUntil: number;
  readonly receiveCount: number;
  readonly faults: number;
  readonly isSpent: boolean;
};

export type JobMemory = {
  /** The jobs of one queue that could be handed out now. */
  readonly ready: (queue: QueueName) => ReadyJobs;
  readonly leases: Map<number, Lease>;
  /** All rows due up to here are either in `ready` or out. */
  dueUpTo: number;
  /** The earliest due time of the rows behind that, or null. */
  nextDue: number | null;
};

/** Nothing known yet. */
export function createJobMemory(): JobMemory {
  const queues = new Map<QueueName, ReadyJobs>();
  const addQueue = (queue: QueueName): ReadyJobs => {
    const made = createReadyJobs();
    queues.set(queue, made);
    return made;
  };
  return {
    ready: (queue) => queues.get(queue) ?? addQueue(queue),
    leases: new Map(),
    dueUpTo: Number.MIN_SAFE_INTEGER,
    nextDue: null,
  };
}

/** A job whose time has come is ready; of one whose time is ahead only the earliest time is remembered. */
export function enlist(memory: JobMemory, queue: QueueName, job: ReadyJob): void {
  if (job.due <= memory.dueUpTo) memory.ready(queue).add(job);
  else if (memory.nextDue === null || job.due < memory.nextDue) memory.nextDue = job.due;
}

/** Takes out at most `max` ready jobs at a time; of the groups that share a first word no more than may be out at once. */
export function takeReady(
  { ready, leases }: JobMemory,
  { queue, max, maxPerGroup }: { readonly queue: QueueName; readonly max: number; readonly maxPerGroup: number },
  at: number,
): readonly ReadyJob[] {
  const out = new Map<string, number>();
  for (const lease of leases.values()) {
    const share = shareOf(lease.group);
    if (lease.queue === queue && lease.countsUntil > at) out.set(share, (out.get(share) ?? 0) + 1);
  }
  return ready(queue).take(max, (share) => {
    const count = out.get(share) ?? 0;
    if (count < maxPerGroup) out.set(share, count + 1);
    return count < maxPerGroup;
  });
}

/** Makes those ready again that nobody answered for in time. */
export function takeBackExpired({ ready, leases }: JobMemory, at: number): void {
  for (const [seq, { queue, due, group, expires }] of leases) {
    if (expires > at) continue;
    leases.delete(seq);
    ready(queue).add({ seq, due, group });
  }
}

/** When to look again: the next due time, the next lease that runs out or makes room for its group; null where there is none. */
export function nextLook({ nextDue, leases, ready }: JobMemory, at: number): number | null {
  let next = nextDue;
  for (const { queue, expires, countsUntil } of leases.values()) {
    const makesRoom = countsUntil > at && ready(queue).size() > 0;
    const first = makesRoom ? Math.min(expires, countsUntil) : expires;
    if (next === null || first < next) next = first;
  }
  return next;
}
