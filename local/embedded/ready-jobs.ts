// The jobs of one queue that could be handed out now: in memory, so that jobs that are not due yet cost nothing.
// Groups take turns, one job a turn, so that no destination keeps the others waiting. A job is two numbers here, some
// 16 bytes: there may be millions after a rush.

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

/** The jobs of one group: number and due time of each, from `head` on. */
type Line = { readonly seqs: number[]; readonly dues: number[]; head: number };

/** No jobs yet. */
export function createReadyJobs(): ReadyJobs {
  const lines = new Map<string, Line>();
  let count = 0;
  const lineOf = (group: string): Line => {
    const line = lines.get(group) ?? { seqs: [], dues: [], head: 0 };
    lines.set(group, line);
    return line;
  };
  return {
    add: ({ seq, due, group }) => {
      const line = lineOf(group);
      line.seqs.push(seq);
      line.dues.push(due);
      count += 1;
    },
    putBack: ({ seq, due, group }) => {
      const line = lineOf(group);
      line.seqs.splice(line.head, 0, seq);
      line.dues.splice(line.head, 0, due);
      count += 1;
    },
    take: (max, mayTake) => {
      const taken: ReadyJob[] = [];
      const waiting = new Map<string, Line>();
      while (taken.length < max && lines.size > 0) {
        const [group, line] = first(lines);
        lines.delete(group);
        const job = mayTake(group) ? shift(line, group) : undefined;
        if (job !== undefined) {
          taken.push(job);
          count -= 1;
          if (line.head < line.seqs.length) lines.set(group, line);
        } else waiting.set(group, line);
      }
      for (const [group, line] of waiting) lines.set(group, line);
      return taken;
    },
    size: () => count,
    oldestDue: () => {
      let oldest: number | null = null;
      for (const { dues, head } of lines.values()) {
        const due = dues[head];
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

function shift(line: Line, group: string): ReadyJob | undefined {
  const [seq, due] = [line.seqs[line.head], line.dues[line.head]];
  if (seq === undefined || due === undefined) return undefined;
  line.head += 1;
  if (line.head > 1_024 && line.head * 2 > line.seqs.length) {
    line.seqs.splice(0, line.head);
    line.dues.splice(0, line.head);
    line.head = 0;
  }
  return { seq, due, group };
}
