// Leases that wait for jobs, and the rounds in which they get some. A round runs inside a transaction: it is settled
// once that stands, or taken back.

import type { Reply, Request } from '#local/embedded/requests.ts';
import { type JobRows, leaseJobs } from './job-rows.ts';

/** One round: `handOut` inside the transaction, then either `settle`, which answers the leases that got jobs, or `rollback`. */
export type LeaseRound = {
  readonly handOut: (at: number) => void;
  readonly settle: () => readonly Reply[];
  readonly rollback: () => void;
};

export type ParkedLeases = {
  readonly park: (number: number, request: Request<'lease'>) => void;
  /** A round for the leases of which the queue has ready jobs; null where there are none. */
  readonly round: () => LeaseRound | null;
  /** Answers all with nothing: the queues are being shut. */
  readonly dismiss: () => readonly Reply[];
};

/** No lease waits yet. */
export function createParkedLeases(jobs: JobRows): ParkedLeases {
  let parked: { readonly number: number; readonly request: Request<'lease'> }[] = [];

  const round = (): LeaseRound | null => {
    const able = parked.filter(({ request }) => jobs.memory.ready(request.queue).size() > 0);
    if (able.length === 0) return null;
    const handedOut: { readonly number: number; readonly result: ReturnType<typeof leaseJobs> }[] = [];
    return {
      handOut: (at) => {
        for (const { number, request } of able) handedOut.push({ number, result: leaseJobs(jobs, request, at) });
      },
      settle: () => {
        const answered = handedOut.filter(({ result }) => result.leased.length > 0);
        const numbers = new Set(answered.map(({ number }) => number));
        parked = parked.filter(({ number }) => !numbers.has(number));
        return answered.map(({ number, result }) => ({ number, value: result.leased }));
      },
      rollback: () => {
        for (const { result } of handedOut.reverse()) result.rollback();
      },
    };
  };
  return {
    park: (number, request) => {
      parked.push({ number, request });
    },
    round,
    dismiss: () => parked.splice(0).map(({ number }) => ({ number, value: [] })),
  };
}
