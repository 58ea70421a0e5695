// The jobs of one queue that could be handed out now: in memory, so that jobs that are not due yet cost nothing.
// Groups are served in rotation on two levels: the first word of a group's name (a client's network, a destination), then the
// whole name (a zone in that network). So neither a busy network nor one of its zones keeps the others waiting. A job is two
// numbers here, some 16 bytes: there may be millions after a rush.

/** A job by its row number, and since when it is due (milliseconds since 1970). */
export type ReadyJob = { readonly seq: number; readonly due: number; readonly group: string };

export type ReadyJobs = {
  readonly add: (job: ReadyJob) => void;
  /** Puts a job back at the head of its group. */
  readonly putBack: (job: ReadyJob) => void;
  /** Takes out at most `max` jobs; of the groups that share a first word only as long as `mayTake(word)` says so. */
  readonly take: (max: number, mayTake: (share: string) => boolean) => readonly ReadyJob[];
  readonly size: () => number;
  /** The earliest due time among them, or null. */
  readonly oldestDue: () => number | null;
};

/** The jobs of one group: number and due time of each, from `head` on. */
type Line = { readonly seqs: number[]; readonly dues: number[]; head: number };
/** The groups that share a first word, next to be served first. */
type Share = Map<string, Line>;

/** A group costs more memory than a job: behind so many, the zones of a network are one group. */
const maxLines = 50_000;

/** The first word of a group's name: what limits and the first level of sharing go by. */
export function shareOf(group: string): string {
  const end = group.indexOf(' ');
  return end < 0 ? group : group.slice(0, end);
}

/** No jobs yet. */
export function createReadyJobs(): ReadyJobs {
  const shares = new Map<string, Share>();
  let count = 0;
  let lines = 0;
  const lineOf = (group: string): Line => {
    const word = shareOf(group);
    const share = shares.get(word) ?? new Map<string, Line>();
    shares.set(word, share);
    const name = lines < maxLines || share.has(group) ? group : word;
    const line = share.get(name) ?? { seqs: [], dues: [], head: 0 };
    if (!share.has(name)) lines += 1;
    share.set(name, line);
    return line;
  };
  /** The next job of a share; its group is then the last to be served again. */
  const next = (share: Share): ReadyJob | undefined => {
    const [group, line] = first(share);
    const job = shift(line, group);
    share.delete(group);
    if (line.head < line.seqs.length) share.set(group, line);
    else lines -= 1;
    return job;
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
      const waiting = new Map<string, Share>();
      while (taken.length < max && shares.size > 0) {
        const [word, share] = first(shares);
        shares.delete(word);
        const job = mayTake(word) ? next(share) : undefined;
        if (job === undefined) {
          waiting.set(word, share);
          continue;
        }
        taken.push(job);
        count -= 1;
        if (share.size > 0) shares.set(word, share);
      }
      for (const [word, share] of waiting) shares.set(word, share);
      return taken;
    },
    size: () => count,
    oldestDue: () => {
      let oldest: number | null = null;
      for (const share of shares.values()) {
        for (const { dues, head } of share.values()) {
          const due = dues[head];
          if (due !== undefined && (oldest === null || due < oldest)) oldest = due;
        }
      }
      return oldest;
    },
  };
}

function first<Value>(entries: ReadonlyMap<string, Value>): readonly [string, Value] {
  for (const entry of entries) return entry;
  throw new Error('nothing to take from');
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
