// The table of stages: which queue each reads, which it writes, what it may touch, how it is run, when a failed job comes back.
// cdk/ builds queues, functions, permissions and alarms from it; local/ runs the same stages from it. Queue names stand here alone.
import type { MetricName } from '#pipeline/observe/metric-names.ts';
import { type KeyPrefix, rawKeyPattern } from './keys.ts';

/** All queues, in the order mail flows; the slow lane, which takes little of it, last. */
export const queueNames = ['received', 'parse', 'deliver', 'received-slow'] as const;

/** The name of a queue. */
export type QueueName = (typeof queueNames)[number];

/** All stages, in the order mail flows. */
export const stageNames = ['authenticate', 'parse', 'deliver'] as const;

/** The name of a stage. */
export type StageName = (typeof stageNames)[number];

/** Whether a text is the name of a queue. */
export function isQueueName(text: unknown): text is QueueName {
  return queueNames.some((name) => name === text);
}

/** The environment variable that holds a queue's URL: `PILLARBOX_QUEUE_RECEIVED_SLOW_URL`. */
export function queueUrlVariable(queue: QueueName): string {
  return `PILLARBOX_QUEUE_${queue.toUpperCase().replaceAll('-', '_')}_URL`;
}

/** `<queue>-dead`: the queue of a queue's dead letters, by its name here or in a deployment. */
export function deadLetterQueue(queue: string): string {
  return `${queue}-dead`;
}

/** What one part of the service may touch: queues, prefixes of keys, secrets by name (`*` at a name's end: any rest). */
export type Access = {
  /** The queues it may send to. */
  readonly sends: readonly QueueName[];
  readonly reads: readonly KeyPrefix[];
  readonly writes: readonly KeyPrefix[];
  readonly deletes: readonly KeyPrefix[];
  /**
   * The objects that it must be able to find absent, as patterns of whole keys: S3 answers 404 only to those who may list a key,
   * 403 to others, which looks like a fault of ours. A pattern that ends as the keys do finds only keys that are known.
   */
  readonly looksForAbsent: 'all' | readonly string[];
  readonly secrets: readonly string[];
  /** The metrics it writes; which of them are watched is said in pipeline/observe/metric-names.ts. */
  readonly emits: readonly MetricName[];
};

/** What every stage writes. */
const jobMetrics = ['jobs', 'job-seconds', 'job-hops', 'own-faults', 'dns-breakers-opened'] as const;

/** What the listener may touch. It is not a stage: it takes no jobs. */
export const listenerAccess: Access = {
  sends: ['received'],
  reads: ['config/', 'suppressions/'],
  writes: ['raw/'],
  deletes: [],
  looksForAbsent: 'all',
  secrets: ['tls-certificate', 'tls-key', 'srs', 'user-*'],
  emits: [
    'authentication-failures',
    'certificate-days-left',
    'connections',
    'connections-open',
    'dns-breakers-opened',
    'message-bytes',
    'messages-accepted',
    'old-password-hashes',
    'own-faults',
    'refusals',
  ],
};

/** How long a job stays hidden after a failure that counts: `firstSeconds` · 2ⁿ, with jitter; never longer than `longestSeconds`. */
export type BackOff = { readonly firstSeconds: number; readonly longestSeconds: number };

/** The slow lane of a stage: the same function with the same limits, over a queue and a concurrency of its own. */
export type SlowLane = Pick<Stage, 'consumes' | 'maxConcurrency' | 'maxWaiting'>;

export type Stage = Access & {
  readonly name: StageName;
  /** The queue whose jobs it takes. */
  readonly consumes: QueueName;
  /**
   * It connects to mail servers of others: its groups are destinations, its jobs wait for their next attempt, and in `mx` mode it leaves
   * AWS by an address of its own.
   */
  readonly connectsOut: boolean;
  /** How long a run may take. */
  readonly timeoutSeconds: number;
  /** The same if no platform limits it: on one machine. */
  readonly localTimeoutSeconds?: number;
  readonly memoryMiB: number;
  /** Jobs handed to one invocation at most. */
  readonly batchSize: number;
  /** Invocations at once at most (AWS), and workers on one machine. */
  readonly maxConcurrency: { readonly aws: number; readonly local: number };
  /** On one machine: jobs that wait for the DNS, which hold no worker. */
  readonly maxWaiting: number;
  /** A second queue with workers of its own, for jobs that would delay those of the first; null: there is none. */
  readonly slowLane: SlowLane | null;
  /**
   * How many hand-outs of a job are run before it becomes a dead letter: eight, which take ten minutes, so that a deployment that fails can be undone. Those that end by a fault of ours do not count. SQS also counts
   * hand-outs that were throttled or ran into the timeout: these come back after the visibility timeout, and `maxConcurrency` keeps
   * throttles rare.
   */
  readonly maxReceives: number;
  /** When a job whose run failed comes back. */
  readonly backOff: BackOff;
};

const backOff: BackOff = { firstSeconds: 5, longestSeconds: 300 };

/** Hand-outs on AWS after the last run: in each the function tells the sender, if it has not yet, before SQS moves the job. */
export const tellingReceives = 2;

/** After so many hand-outs SQS moves a job to the dead letters. */
export function receivesBeforeDead({ maxReceives }: Pick<Stage, 'maxReceives'>): number {
  return maxReceives + tellingReceives;
}

/** How long a job that was handed out stays hidden: AWS's advice, six times what its run may take. A lease on one machine likewise. */
export function visibilitySeconds({ timeoutSeconds }: Pick<Stage, 'timeoutSeconds'>): number {
  return 6 * timeoutSeconds;
}

/** All stages, in the order mail flows. */
export const stages: { readonly [Name in StageName]: Stage & { readonly name: Name } } = {
  authenticate: {
    name: 'authenticate',
    consumes: 'received',
    sends: ['received', 'received-slow', 'parse', 'deliver'],
    reads: ['raw/', 'config/'],
    writes: [],
    deletes: [],
    looksForAbsent: [rawKeyPattern],
    secrets: ['srs'],
    emits: [...jobMetrics, 'messages-judged', 'messages-judged-again', 'messages-to-slow-lane'],
    connectsOut: false,
    timeoutSeconds: 60,
    memoryMiB: 1024,
    batchSize: 10,
    maxConcurrency: { aws: 100, local: 32 },
    maxWaiting: 1_000,
    // Messages whose sender's DNS does not answer wait here until their deadline: 500 at once on AWS.
    slowLane: {
      consumes: 'received-slow',
      maxConcurrency: { aws: 50, local: 16 },
      maxWaiting: 500,
    },
    maxReceives: 8,
    backOff,
  },
  parse: {
    name: 'parse',
    consumes: 'parse',
    // To itself: jobs that wait for a fault of ours. To `deliver`: reports of dead letters to their senders.
    sends: ['parse', 'deliver'],
    reads: ['raw/', 'config/'],
    writes: ['inbox/', 'quarantine/', 'attachments/'],
    deletes: [],
    looksForAbsent: [rawKeyPattern],
    secrets: [],
    emits: [...jobMetrics, 'messages-stored', 'accepted-to-inbox-seconds', 'parse-seconds', 'parse-problems'],
    connectsOut: false,
    timeoutSeconds: 120,
    memoryMiB: 1769,
    batchSize: 10,
    // Many at once, although the processor is shared: a few slow messages must not take all slots (parser.ts bounds the work).
    maxConcurrency: { aws: 100, local: 32 },
    maxWaiting: 0,
    slowLane: null,
    maxReceives: 8,
    backOff,
  },
  deliver: {
    name: 'deliver',
    consumes: 'deliver',
    sends: ['deliver', 'received'],
    reads: ['raw/', 'config/', 'deliveries/', 'suppressions/', 'destinations/'],
    writes: ['raw/', 'deliveries/', 'suppressions/', 'destinations/'],
    deletes: ['destinations/'],
    looksForAbsent: 'all',
    secrets: ['dkim-*', 'smarthost-password', 'srs'],
    emits: [
      ...jobMetrics,
      'addresses-suppressed',
      'deliveries',
      'delivery-leases-lost',
      'delivery-notices',
      'delivery-seconds',
      'delivery-waits',
      'port-25-blocked',
      'receivers-in-trouble',
    ],
    connectsOut: true,
    // The most that Lambda gives. Ten minutes of it are for the answer to a message (RFC 5321 §4.5.3.2.6).
    timeoutSeconds: 900,
    // A peer that keeps reading is not cut, however slowly it reads.
    localTimeoutSeconds: 43_200,
    memoryMiB: 512,
    batchSize: 5,
    // Workers wait for hosts, hardly ever for the processor: destinations that do not answer must not take all slots.
    maxConcurrency: { aws: 50, local: 250 },
    maxWaiting: 0,
    slowLane: null,
    maxReceives: 8,
    backOff,
  },
};

/** The queues that a stage reads, each as a stage of its own to run: its first, and its slow lane if it has one. */
export function lanesOf(stage: Stage): readonly Stage[] {
  return stage.slowLane === null ? [stage] : [stage, { ...stage, ...stage.slowLane }];
}
