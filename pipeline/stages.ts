// The table of stages: which queue each reads, which it writes, what it may touch, how it is run.
// cdk/ builds queues, functions and permissions from it; local/ runs the same stages from it.
import type { QueueName } from './jobs.ts';
import type { KeyPrefix } from './keys.ts';

export type StageName = 'authenticate' | 'parse' | 'deliver';

export type Stage = {
  readonly name: StageName;
  /** The queue whose jobs it takes. */
  readonly consumes: QueueName;
  /** The queues it may send to. */
  readonly sends: readonly QueueName[];
  /** The prefixes of keys it may read, and may write. */
  readonly reads: readonly KeyPrefix[];
  readonly writes: readonly KeyPrefix[];
  readonly timeoutSeconds: number;
  readonly memoryMiB: number;
  /** Jobs handed to one invocation at most. */
  readonly batchSize: number;
  /** Invocations at once at most (AWS), and workers on one machine. */
  readonly maxConcurrency: { readonly aws: number; readonly local: number };
  /** Hand-outs of one job before it becomes a dead letter. */
  readonly maxReceives: number;
};

/** All stages, in the order mail flows. */
export const stages: { readonly [Name in StageName]: Stage & { readonly name: Name } } = {
  authenticate: {
    name: 'authenticate',
    consumes: 'received',
    sends: ['received', 'parse', 'deliver'],
    reads: ['raw/', 'config/'],
    writes: [],
    timeoutSeconds: 60,
    memoryMiB: 1024,
    batchSize: 10,
    maxConcurrency: { aws: 100, local: 8 },
    maxReceives: 5,
  },
  parse: {
    name: 'parse',
    consumes: 'parse',
    sends: [],
    reads: ['raw/', 'config/'],
    writes: ['inbox/', 'quarantine/', 'attachments/'],
    timeoutSeconds: 120,
    memoryMiB: 1769,
    batchSize: 10,
    maxConcurrency: { aws: 100, local: 8 },
    maxReceives: 5,
  },
  deliver: {
    name: 'deliver',
    consumes: 'deliver',
    sends: ['deliver', 'received'],
    reads: ['raw/', 'config/', 'deliveries/', 'suppressions/', 'destinations/'],
    writes: ['raw/', 'deliveries/', 'suppressions/', 'destinations/'],
    timeoutSeconds: 600,
    memoryMiB: 512,
    batchSize: 5,
    maxConcurrency: { aws: 50, local: 40 },
    maxReceives: 5,
  },
};
