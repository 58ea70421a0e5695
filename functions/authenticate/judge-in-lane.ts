// How long a message may wait for the DNS, by the lane it is in. In the fast lane, which all mail takes first, that is a second, and
// of a zone known not to answer the remembered failure will do; whatever would need more goes to the slow lane, where each
// question is asked and has the whole deadline. So a verdict that is recorded never rests on a short wait.

import type { Authentication, ReceivedJob } from '#pipeline/contract/jobs.ts';
import type { Handout, Resolve } from '#pipeline/contract/ports.ts';
import { isRememberedDnsError } from '#pipeline/dns/answer.ts';
import { startDeadline } from '#pipeline/dns/questions.ts';

/** `fast`: jobs of queue `received`. `slow`: those of `received-slow`. */
export type Lane = 'fast' | 'slow';

/**
 * `judged`: the verdict, as good as it gets; `isProvisional` where a failure in it was only remembered, so it may be judged again but
 * not recorded. `too-slow`: the fast lane's time was up before all was answered.
 */
export type LaneJudgement =
  | { readonly outcome: 'judged'; readonly authentication: Authentication; readonly isProvisional: boolean }
  | { readonly outcome: 'too-slow' };

export type LaneOptions = {
  readonly lane: Lane;
  readonly resolve: Resolve;
  /** The deadline of the slow lane, in seconds. */
  readonly timeoutSeconds: number;
  readonly whileWaiting: Handout['whileWaiting'];
  /** Opens the message and judges it by what this resolver says. */
  readonly judge: (resolve: Resolve) => Promise<Authentication>;
};

/** How long a message waits for the DNS in the fast lane. */
const fastSeconds = 1;

/** Judges a stranger's message. Rejects where `judge` does. */
export async function judgeInLane(job: ReceivedJob, options: LaneOptions): Promise<LaneJudgement> {
  const { lane, timeoutSeconds, whileWaiting, judge } = options;
  const isFast = lane === 'fast' && timeoutSeconds > fastSeconds;
  let isProvisional = false;
  const ask: Resolve = async (name, type) => {
    try {
      return await options.resolve(name, type, isFast ? { failFast: true } : {});
    } catch (error) {
      isProvisional ||= isRememberedDnsError(error);
      throw error;
    }
  };
  const waiting: Resolve = whileWaiting === undefined ? ask : (name, type) => whileWaiting(() => ask(name, type));
  const deadline = startDeadline(waiting, 1_000 * (isFast ? fastSeconds : timeoutSeconds));
  if (isFast) await askForSender(job, deadline.resolve);
  if (isFast && deadline.wasReached()) return { outcome: 'too-slow' };
  const authentication = await judge(deadline.resolve);
  if (isFast && deadline.wasReached()) return { outcome: 'too-slow' };
  return { outcome: 'judged', authentication, isProvisional };
}

/** Asks what SPF will ask first: where even that has no answer, the message need not be opened here. */
async function askForSender({ envelope: { reversePath, session } }: ReceivedJob, resolve: Resolve): Promise<void> {
  const domain = reversePath === '' ? (session.helo ?? '') : reversePath.slice(reversePath.lastIndexOf('@') + 1);
  if (session.clientIp === null || domain === '') return;
  await resolve(domain, 'TXT').catch(() => undefined); // Whatever it is, SPF will ask again and judge it.
}
