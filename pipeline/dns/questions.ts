// The questions of one piece of work, mostly the judging of a message: one deadline for all of them; and what the DNS said,
// each question asked once and recorded, so that a later replay sees the same.
import type { DnsEvidence } from '#pipeline/contract/jobs.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { copyAnswer, dnsError, dnsErrorCode } from './answer.ts';

/** `wasReached`: a question was rejected because of the deadline, so its answer is not known. */
export type Deadline = { readonly resolve: Resolve; readonly wasReached: () => boolean };

/**
 * Asks through `resolve` for at most `deadlineMs` milliseconds in all; what is unanswered then, and whatever is asked later,
 * rejects with `ETIMEOUT`. Only time with a question under way counts, once for questions side by side. `now` in
 * milliseconds.
 */
export function startDeadline(resolve: Resolve, deadlineMs: number, now = () => performance.now()): Deadline {
  let leftMs = deadlineMs; // as of when nothing was asked last
  let asked = 0;
  let waitingSince = 0;
  let isReached = false;
  const late = (name: string, type: string): Error => {
    isReached = true;
    leftMs = 0; // a timer may fire a little early: the next question is late all the same
    return dnsError('ETIMEOUT', name, type);
  };
  const left = (): number => (asked === 0 ? leftMs : leftMs - (now() - waitingSince));
  return {
    wasReached: () => isReached,
    resolve: async (name, type) => {
      const waitMs = left();
      if (waitMs <= 0) throw late(name, type);
      if (asked === 0) waitingSince = now();
      asked += 1;
      const deadline = Promise.withResolvers<never>();
      const timer = setTimeout(() => deadline.reject(late(name, type)), waitMs);
      try {
        return await Promise.race([resolve(name, type), deadline.promise]);
      } finally {
        clearTimeout(timer);
        if (asked === 1) leftMs = left();
        asked -= 1;
      }
    },
  };
}

export type RecordingResolve = {
  /** Asks each question once; if it is asked again, the answer is the same, also after a deadline has passed. */
  readonly resolve: Resolve;
  /** What was answered so far, sorted by name and type; what exceeds the limits is left out. */
  readonly evidence: () => readonly DnsEvidence[];
};

/** Records what goes through `resolve`: at most so many questions, and bytes of JSON. */
export function recordEvidence(resolve: Resolve, limits = { maxQuestions: 200, maxBytes: 131_072 }): RecordingResolve {
  const asked = new Map<string, Promise<unknown>>();
  const recorded: DnsEvidence[] = [];
  let bytesLeft = limits.maxBytes;

  const record = (name: string, type: string, outcome: DnsEvidence['outcome']): void => {
    const entry = { name: ascii(name), type, outcome };
    const bytes = Buffer.byteLength(JSON.stringify(entry));
    if (recorded.length >= limits.maxQuestions || bytes > bytesLeft) return;
    bytesLeft -= bytes;
    recorded.push(entry);
  };
  const ask = async (name: string, type: string): Promise<unknown> => {
    try {
      const answer = await resolve(name, type);
      record(name, type, { kind: 'answer', json: ascii(JSON.stringify(answer) ?? 'null') });
      return answer;
    } catch (error) {
      record(name, type, { kind: 'error', code: dnsErrorCode(error) });
      throw error;
    }
  };
  return {
    resolve: async (name, type) => {
      const key = `${type} ${name.toLowerCase().replace(/\.$/, '')}`;
      const answer = asked.get(key) ?? ask(name, type);
      asked.set(key, answer);
      return copyAnswer(await answer);
    },
    evidence: () => recorded.toSorted((a, b) => compare(a.name, b.name) || compare(a.type, b.type)),
  };
}

/** Queues take no noncharacters (SQS), and records may hold anything: JSON escapes say the same in ASCII. */
function ascii(text: string): string {
  return text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
