// Whether a job is to blame for the end of the process. A run that ended with the process does not count as one of the job's
// hand-outs. What counts is how often a job was running then, and how suspect that makes it: a poison job ends the process moments
// after its hand-out, again and again; other mail only runs beside it, or while the process is killed. Pure.

/** A job that was running when the process ended. `guilt`: what counts against it from earlier ends. Times in milliseconds. */
export type InHand = { readonly seq: number; readonly handedAt: number; readonly guilt: number; readonly due: number };

/** What becomes of it: what counts against it now, and when it is due again. */
export type Suspect = { readonly seq: number; readonly guilt: number; readonly due: number };

/** How the process ended: by an error of its own, which it could still record, or in a way it could not (kill -9, power, memory). */
export type End = 'crashed' | 'unknown';

/** From here on a job is a dead letter: five crashes of the process right after its hand-out, or twenty ends of any kind. */
export const guiltLimit = 20;

const crashGuilt = 4;
const endGuilt = 1;
/** Handed out so shortly before the last hand-out of all, a job may be what ended the process. */
const recentMs = 2_000;
/** From this guilt on, jobs are handed out one after the other, so that the next end shows which it is. */
const suspectGuilt = 2;
/**
 * How far apart: after a crash by more than what counts as just before it, else the same jobs would be blamed together again. The
 * longest that all of them take.
 */
const apart = { crashed: { ms: 3_000, longestMs: 300_000 }, unknown: { ms: 1_000, longestMs: 60_000 } } as const;

/** Judges all jobs that were running; the most suspect, the last that was handed out, runs first and alone. */
export function judgeEnd(inHand: readonly InHand[], end: End, now: number): readonly Suspect[] {
  const last = Math.max(...inHand.map(({ handedAt }) => handedAt));
  const judged = inHand.map((job) => {
    const isRecent = job.handedAt >= last - recentMs;
    return { ...job, guilt: job.guilt + (end === 'crashed' && isRecent ? crashGuilt : endGuilt) };
  });
  const suspects = judged
    .filter(({ guilt }) => guilt >= suspectGuilt)
    .sort((a, b) => b.handedAt - a.handedAt || b.guilt - a.guilt);
  const spacing = Math.min(apartMs(suspects, end), apart[end].longestMs / Math.max(1, suspects.length));
  const dues = new Map(suspects.map(({ seq }, n) => [seq, now + Math.round(n * spacing)]));
  return judged.map(({ seq, guilt, due }) => ({ seq, guilt, due: dues.get(seq) ?? due }));
}

/** Twice as far with each crash that one of them was near: what ends the process only after a while is alone by then. */
function apartMs(suspects: readonly Pick<InHand, 'guilt'>[], end: End): number {
  const most = Math.max(0, ...suspects.map(({ guilt }) => guilt));
  return apart[end].ms * 2 ** Math.max(0, Math.min(3, Math.floor(most / crashGuilt) - 1));
}
