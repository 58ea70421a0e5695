// Promises that the service is known not to keep, each with its reason; docs/simulation.md tells of them. What is found here is counted
// and printed, and does not fail a run: so that new faults are seen. Whoever mends one takes its line out.
import { isForged } from '#test/simulation/mail/places.ts';
import type { Outcome } from './world.ts';

type KnownLimit = { readonly name: string; readonly is: (outcome: Outcome, broken: string) => boolean };

const knownLimits: readonly KnownLimit[] = [
  {
    // SQS hands a job of `received` out twice, and the DNS answers once and fails once: the two judgements differ, and so do the folders.
    name: 'judged twice, with different answers of the DNS',
    is: ({ acknowledged, troubles }, broken) =>
      /at once in (quarantine and in the inbox|the inbox and in quarantine)/.test(broken) &&
      troubles.some(({ what }) => what === 'dns') &&
      acknowledged.some(({ id, message }) => broken.startsWith(id) && isForged(message.sender)),
  },
];

/** Whether a broken promise is one of those. */
export function isKnown(outcome: Outcome, broken: string): boolean {
  return knownLimits.some((limit) => limit.is(outcome, broken));
}
