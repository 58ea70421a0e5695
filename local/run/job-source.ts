// How the worker pools get jobs and answer for them. The embedded queue offers it; on AWS, Lambda does this.
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';

/** A job that was handed out; it is this run's until the lease ends. `handle` and `receiveCount` together name this hand-out of it. */
export type LeasedJob = {
  readonly handle: number;
  readonly messageId: string;
  /** The job as JSON text. */
  readonly body: string;
  /** Hand-outs of this job so far, this one included; those that ended by a fault of ours are not. */
  readonly receiveCount: number;
  /** Hand-outs in a row before this one that ended by a fault of ours. */
  readonly faults: number;
  /** Why it must not be run any more, only given up: handed out too often, or the process ended with it again and again; or null. */
  readonly spent: string | null;
};

/**
 * What a job that was not done is answered: again in some seconds; or (null) never, it is a dead letter, with the reason. `isOurFault`:
 * the hand-out does not count. `tell`: the jobs that tell its sender, queued in the same step as it becomes a dead letter.
 */
export type NotDone = {
  readonly delaySeconds: number | null;
  readonly reason: string;
  readonly isOurFault?: boolean;
  readonly tell?: readonly DeliverJob[];
};

/** How jobs are asked for. */
export type LeaseTerms = {
  readonly queue: QueueName;
  readonly max: number;
  /** How many of the fair-queue groups that share a first word may be out at once. */
  readonly maxPerGroup: number;
  /** A job that is out for longer does not count among those of its group any more; absent: it always does. */
  readonly countsForMs?: number;
  /** A job handed out more often than this is handed out as `spent`. */
  readonly maxReceives: number;
  /** After this time without an answer the job is handed out again. */
  readonly leaseSeconds: number;
};

export type JobSource = {
  /** Waits until there are jobs, then answers at most `max`; answers none once the source is stopped. */
  readonly lease: (terms: LeaseTerms) => Promise<readonly LeasedJob[]>;
  /** The job is done. `isMended`: others that wait for the same fault of ours as it did may go on at once. */
  readonly ack: (job: LeasedJob, found?: { readonly isMended: boolean }) => Promise<void>;
  /** The job failed. */
  readonly nack: (job: LeasedJob, answer: NotDone) => Promise<void>;
  /** Hands nothing out any more; jobs that are out may still be answered for. */
  readonly stop: () => Promise<void>;
};
