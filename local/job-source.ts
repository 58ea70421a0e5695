// How the runner gets jobs and answers for them. The embedded queue offers it; on AWS, Lambda does this.
import type { QueueName } from '#pipeline/jobs.ts';

/** A job handed out; it is this run's until the lease ends. */
export type HandedOut = {
  readonly handle: number;
  readonly messageId: string;
  /** The job as JSON text. */
  readonly body: string;
  /** Hand-outs of this job so far, this one included. */
  readonly receiveCount: number;
};

export type JobSource = {
  /** Waits until there are jobs, then answers at most `max`; answers none once the source is stopped. */
  readonly lease: (terms: {
    readonly queue: QueueName;
    readonly max: number;
    /** How many of the fair-queue groups that share a first word may be out at once. */
    readonly maxPerGroup: number;
    /** A job handed out more often than this becomes a dead letter instead. */
    readonly maxReceives: number;
    /** After this time without an answer the job is handed out again. */
    readonly leaseSeconds: number;
  }) => Promise<readonly HandedOut[]>;
  /** The job is done. */
  readonly ack: (job: HandedOut) => Promise<void>;
  /** The job failed: again in some seconds, or (null) never: it is a dead letter, with the reason. */
  readonly nack: (
    job: HandedOut,
    answer: { readonly delaySeconds: number | null; readonly reason: string },
  ) => Promise<void>;
  /** Hands nothing out any more; jobs that are out may still be answered for. */
  readonly stop: () => Promise<void>;
};
