// How the runner gets jobs and answers for them. The embedded queue offers it; on AWS, Lambda does this.
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';

/** A job handed out; it is this run's until the lease ends. */
export type HandedOut = {
  readonly handle: number;
  readonly messageId: string;
  /** The job as JSON text. */
  readonly body: string;
  /** Hand-outs of this job so far, this one included; those that ended by a fault of ours are not. */
  readonly receiveCount: number;
  /** Hand-outs in a row before this one that ended by a fault of ours. */
  readonly faults: number;
  /** Why it must not be run any more, only given up: handed out too often, or the process ended with it again and again. */
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

export type JobSource = {
  /** Waits until there are jobs, then answers at most `max`; answers none once the source is stopped. */
  readonly lease: (terms: {
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
  }) => Promise<readonly HandedOut[]>;
  /** The job is done. `isMended`: others that wait for the same fault of ours as it did may go on at once. */
  readonly ack: (job: HandedOut, found?: { readonly isMended: boolean }) => Promise<void>;
  /** The job failed. */
  readonly nack: (job: HandedOut, answer: NotDone) => Promise<void>;
  /** Hands nothing out any more; jobs that are out may still be answered for. */
  readonly stop: () => Promise<void>;
};
