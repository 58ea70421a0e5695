// The jobs of one queue that could be handed out now: in memory, so that jobs that are not due yet cost nothing.
// Groups take turns, one job a turn, so that no destination keeps the others waiting.

/** A job by its row number, and since when it is due (milliseconds since 1970). */
export type ReadyJob = { readonly seq: number; readonly due: number; readonly group: string };

export type ReadyJobs = {
  readonly add: (job: ReadyJob) => void;
  /** Puts a job back at the head of its group. */
  readonly putBack: (job: ReadyJob) => void;
  /** Takes out at most `max` jobs; of a group only as long as `mayTake(group)` says so. */
  readonly take: (max: number, mayTake: (group: string) => boolean) => readonly ReadyJob[];
  readonly size: () => number;
  /** The earliest due time among them, or null. */
  readonly oldestDue: () => number | null;
};

type Line = { readonly jobs: ReadyJob[]; head: number };

/** No jobs yet. */
export function createReadyJobs(): ReadyJobs {
  const lines = new Map<string, Line>();
  let count = 0;
  const lineOf = (group: string): Line => {
    const line = lines.get(group) ?? { jobs: [], head: 0 };
    lines.set(group, line);
    return line;
  };
  return {
    add: (job) => {
      lineOf(job.group).jobs.push(job);
      count += 1;
    },
    putBack: (job) => {
      const line = lineOf(job.group);
      line.jobs.splice(line.head, 0, job);
      count += 1;
    },
    take: (max, mayTake) => {
      const taken: ReadyJob[] = [];
      const waiting = new Map<string, Line>();
      while (taken.length < max && lines.size > 0) {
        const [group, line] = first(lines);
        lines.delete(group);
        const job = mayTake(group) ? shift(line) : undefined;
        if (job !== undefined) {
          taken.push(job);
          count -= 1;
          if (line.head < line.jobs.length) lines.set(group, line);
        } else waiting.set(group, line);
      }
      for (const [group, line] of waiting) lines.set(group, line);
      return taken;
    },
    size: () => count,
    oldestDue: () => {
      let oldest: number | null = null;
      for (const { jobs, head } of lines.values()) {
        const due = jobs[head]?.due;
        if (due !== undefined && (oldest === null || due < oldest)) oldest = due;
      }
      return oldest;
    },
  };
}

function first(lines: Map<string, Line>): readonly [string, Line] {
  for (const entry of lines) return entry;
  throw new Error('no line');
}

function shift(line: Line): ReadyJob | undefined {
  const job = line.jobs[line.head];
  line.head += 1;
  if (line.head > 1_024 && line.head * 2 > line.jobs.length) {
    line.jobs.splice(0, line.head);
    line.head = 0;
  }
  return job;
}
