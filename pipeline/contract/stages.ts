// The table of stages: the queues each reads and writes, what it may access, how it is run, when a failed job comes back.
// cdk/ builds queues, functions, permissions and alarms from it; local/ runs the same stages from it. Queue names stand here
// alone.
import type { MetricName } from '#pipeline/observe/metric-names.ts';
import {
  configHistoryPrefix,
  configKey,
  type KeyPrefix,
  lastGoodConfigKey,
  mailKeyPatterns,
  outboundRecordPatterns,
  passwordHashPrefix,
  rawKeyPattern,
  verdictKeyPattern,
} from './keys.ts';

/** In the order mail flows; the slow lane last. */
export const queueNames = ['received', 'parse', 'deliver', 'notify', 'received-slow'] as const;
export type QueueName = (typeof queueNames)[number];

/** In the order mail flows. */
export const stageNames = ['authenticate', 'parse', 'deliver', 'notify'] as const;
export type StageName = (typeof stageNames)[number];

export function isQueueName(text: unknown): text is QueueName {
  return queueNames.some((name) => name === text);
}

/** The environment variable that holds a queue's URL: `PILLARBOX_QUEUE_RECEIVED_SLOW_URL`. */
export function queueUrlVariable(queue: QueueName): string {
  return `PILLARBOX_QUEUE_${queue.toUpperCase().replaceAll('-', '_')}_URL`;
}

/** `<queue>-dead`: where a queue's dead letters are, by its name here or in a deployment. */
export function deadLetterQueue(queue: string): string {
  return `${queue}-dead`;
}

/** What one part of the service may access: queues, prefixes of keys, secrets by name (`*` at a name's end: any rest). */
export type Access = {
  /** The queues it may send to. */
  readonly sends: readonly QueueName[];
  /** Of `config/` single objects alone: what was replaced is for operators. */
  readonly reads: readonly (KeyPrefix | typeof configKey | typeof lastGoodConfigKey | typeof passwordHashPrefix)[];
  readonly writes: readonly (KeyPrefix | typeof lastGoodConfigKey | typeof configHistoryPrefix)[];
  readonly deletes: readonly KeyPrefix[];
  /**
   * The objects that it must be able to find absent, as patterns of whole keys: without the right to list a key S3 answers
   * 403 rather than 404, which looks like an own fault.
   */
  readonly looksForAbsent: readonly string[];
  /** Where such a 403 is taken for absence, so that it needs no right to list: only where what depends on it is asked again later. */
  readonly forbiddenIsAbsent: readonly KeyPrefix[];
  readonly secrets: readonly string[];
  /** It tells EventBridge of what it stored, if the deployment wants that. */
  readonly announces?: true;
  /** The metrics it writes. */
  readonly emits: readonly MetricName[];
};

const jobMetrics = ['jobs', 'job-seconds', 'job-hops', 'own-faults', 'dns-breakers-opened'] as const;

/** The listener is not a stage: it takes no jobs. */
export const listenerAccess: Access = {
  sends: ['received'],
  reads: [configKey, lastGoodConfigKey, passwordHashPrefix, 'suppressions/'],
  // It sees every edit, since it always runs.
  writes: ['raw/', lastGoodConfigKey, configHistoryPrefix],
  deletes: [],
  // The world can connect to it: it may list nothing. Whether an address is suppressed `deliver` looks up again.
  looksForAbsent: [],
  forbiddenIsAbsent: ['suppressions/'],
  secrets: ['tls-certificate', 'tls-key', 'srs', 'user-*'],
  emits: [
    'authentication-failures',
    'certificate-days-left',
    'config-problems',
    'connections',
    'connections-open',
    'dns-breakers-opened',
    'message-bytes',
    'messages-accepted',
    'old-password-hashes',
    'own-faults',
    'refusals',
    'store-failures',
  ],
};

/** How long a job stays hidden after a failure that counts: `firstSeconds` · 2ⁿ, with jitter, at most `longestSeconds`. */
export type BackOff = { readonly firstSeconds: number; readonly longestSeconds: number };

/** The slow lane of a stage: the same function with the same limits, over a queue and a concurrency of its own. */
export type SlowLane = Pick<Stage, 'consumes' | 'maxConcurrency' | 'maxWaiting'>;

export type Stage = Access & {
  readonly name: StageName;
  /** The queue whose jobs it takes. */
  readonly consumes: QueueName;
  /** It connects to other mail servers: its groups are destinations, and in `mx` mode it needs an address of its own. */
  readonly connectsOut: boolean;
  /** Its jobs wait on its queue for their next attempt: a job may be old although nothing is late. */
  readonly hasAttempts: boolean;
  /** The option of a deployment without which it has no function: its queue is there, and keeps jobs until it has. */
  readonly option: 'hooks' | null;
  /** Jobs of one fair-queue group that are run at once at most, on one machine; null: as many as there are workers. */
  readonly maxPerGroup: number | null;
  /** How long a run may take. */
  readonly timeoutSeconds: number;
  /** The same if no platform limits it: on one machine. */
  readonly localTimeoutSeconds?: number;
  readonly memoryMiB: number;
  /** Jobs of one invocation at most. */
  readonly batchSize: number;
  /** How long jobs are gathered for an invocation at most (AWS); the deployment's option `batchWindowSeconds` may say less. */
  readonly longestWindowSeconds: number;
  /** Invocations at once at most (AWS), and workers on one machine. */
  readonly maxConcurrency: { readonly aws: number; readonly local: number };
  /** On one machine: jobs that wait for the DNS, which hold no worker. */
  readonly maxWaiting: number;
  /** A second queue with workers of its own, for jobs that would delay those of the first; null: there is none. */
  readonly slowLane: SlowLane | null;
  /**
   * How often a job fails before it becomes a dead letter: eight runs take ten minutes, so that a bad deployment can be
   * undone. Runs that end by an own fault do not count.
   */
  readonly maxReceives: number;
  /**
   * How often it is handed out (AWS). SQS also counts what was throttled and what ended with its function: so many that an account may
   * throttle for an hour, and few enough that a message that ends each function is put away in half an hour.
   */
  readonly maxHandOuts: number;
  /** When a job whose run failed comes back. */
  readonly backOff: BackOff;
};

/** Option `batchWindowSeconds` of a deployment, where it is not given. */
export const defaultWindowSeconds = 8;

/** Of most stages. */
const common = {
  deletes: [],
  looksForAbsent: [rawKeyPattern],
  forbiddenIsAbsent: [],
  connectsOut: false,
  hasAttempts: false,
  option: null,
  maxPerGroup: null,
  longestWindowSeconds: 60,
  maxWaiting: 0,
  slowLane: null,
  maxReceives: 8,
  maxHandOuts: 50,
  backOff: { firstSeconds: 5, longestSeconds: 300 },
} as const;

/** How long jobs of a lane are gathered for an invocation in a deployment (Lambda's MaximumBatchingWindowInSeconds). */
export function windowSeconds(
  { longestWindowSeconds }: Pick<Stage, 'longestWindowSeconds'>,
  batchWindowSeconds = defaultWindowSeconds,
): number {
  return Math.min(batchWindowSeconds, longestWindowSeconds);
}

/** How often SQS delivers a job after its last run, so that the function can report to the sender and move it to the dead letters. */
export const tellingReceives = 2;

/** SQS's maxReceiveCount. */
export function receivesBeforeDead({ maxHandOuts }: Pick<Stage, 'maxHandOuts'>): number {
  return maxHandOuts + tellingReceives;
}

/** Lambda receives, calls and deletes within this, besides the window and the run. */
const pollerSeconds = 6;

/**
 * How long a queue hides what it gave out: as long as a batch is gathered and run, no longer, since what was in a function that died
 * comes back after it. Lambda takes no less than the timeout of a run. AWS advises six times that, so that a throttled batch can be given
 * to the function again meanwhile: here the function hides such a batch itself (pipeline/aws/hold-batch.ts).
 */
export function visibilitySeconds(
  stage: Pick<Stage, 'timeoutSeconds' | 'longestWindowSeconds'>,
  batchWindowSeconds = defaultWindowSeconds,
): number {
  return stage.timeoutSeconds + windowSeconds(stage, batchWindowSeconds) + pollerSeconds;
}

/** Lambda gives a function the share of a processor that its memory is of this. */
export const memoryOfProcessorMiB = 1_769;

/** How much of a processor a stage has on AWS: 1 is a whole one. */
export function processorShare({ memoryMiB }: Pick<Stage, 'memoryMiB'>): number {
  return Math.min(1, memoryMiB / memoryOfProcessorMiB);
}

/** All stages, in the order mail flows. */
export const stages: { readonly [Name in StageName]: Stage & { readonly name: Name } } = {
  authenticate: {
    ...common,
    name: 'authenticate',
    consumes: 'received',
    sends: ['received', 'received-slow', 'parse', 'deliver'],
    reads: ['raw/', 'verdicts/', configKey, lastGoodConfigKey],
    writes: ['verdicts/'],
    looksForAbsent: [rawKeyPattern, verdictKeyPattern],
    secrets: ['srs'],
    emits: [...jobMetrics, 'messages-judged', 'messages-judged-again', 'messages-to-slow-lane'],
    // Ten signed messages of 50 MB take six seconds of a processor: 30 at this share of one.
    timeoutSeconds: 60,
    memoryMiB: 320,
    batchSize: 10,
    maxConcurrency: { aws: 100, local: 32 },
    maxWaiting: 1_000,
    // Messages whose sender's DNS does not answer wait here until their deadline: 500 at once on AWS.
    slowLane: { consumes: 'received-slow', maxConcurrency: { aws: 50, local: 16 }, maxWaiting: 500 },
  },
  parse: {
    ...common,
    name: 'parse',
    consumes: 'parse',
    // To itself: jobs that wait for an own fault. To `deliver`: reports of dead letters to their senders.
    sends: ['parse', 'deliver', 'notify'],
    reads: ['raw/', configKey, lastGoodConfigKey],
    writes: ['inbox/', 'quarantine/', 'attachments/'],
    deletes: ['quarantine/'], // once a person has released it
    looksForAbsent: [rawKeyPattern, ...mailKeyPatterns],
    secrets: [],
    announces: true,
    emits: [...jobMetrics, 'messages-stored', 'accepted-to-inbox-seconds', 'parse-seconds', 'parse-problems'],
    // A message may take 35 s of it, at this share of a processor, and two are heavy at once: what a run has no time for comes again.
    timeoutSeconds: 60,
    memoryMiB: 512,
    batchSize: 6,
    longestWindowSeconds: 0, // its jobs come in the batches of authenticate: a message is a batch
    // Many at once, although the processor is shared: a few slow messages must not take all slots (parser.ts bounds the work).
    maxConcurrency: { aws: 100, local: 32 },
  },
  deliver: {
    ...common,
    name: 'deliver',
    consumes: 'deliver',
    sends: ['deliver', 'received'],
    reads: ['raw/', configKey, lastGoodConfigKey, 'deliveries/', 'suppressions/', 'destinations/'],
    writes: ['raw/', 'deliveries/', 'suppressions/', 'destinations/'],
    deletes: ['destinations/'],
    looksForAbsent: [rawKeyPattern, ...outboundRecordPatterns],
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
    hasAttempts: true,
    // The most that Lambda gives. Ten minutes of it are for the answer to a message (RFC 5321 §4.5.3.2.6).
    timeoutSeconds: 900,
    // A peer that keeps reading is not cut off, however slowly it reads.
    localTimeoutSeconds: 43_200,
    memoryMiB: 512,
    batchSize: 5,
    // Workers wait for hosts, hardly ever for the processor: destinations that do not answer must not take all slots.
    maxConcurrency: { aws: 50, local: 250 },
  },
  notify: {
    ...common,
    name: 'notify',
    consumes: 'notify',
    sends: ['notify'],
    reads: ['inbox/', 'quarantine/', configKey, lastGoodConfigKey],
    writes: [],
    looksForAbsent: mailKeyPatterns,
    secrets: ['webhook-*'],
    emits: [...jobMetrics, 'hook-calls', 'hook-seconds', 'hooks-failing'],
    hasAttempts: true,
    option: 'hooks',
    // A hook that is slow leaves workers for the others; on AWS the fair queue sees to it.
    maxPerGroup: 8,
    timeoutSeconds: 60, // a call takes 20 s at most
    memoryMiB: 256,
    batchSize: 10,
    longestWindowSeconds: 2,
    maxConcurrency: { aws: 10, local: 32 },
  },
};

/** The stages that a deployment runs, in the order mail flows. */
export function deployedStages(options: { readonly hooks: boolean }): readonly Stage[] {
  return Object.values(stages).filter(({ option }) => option === null || options[option]);
}

/** The queues that a stage reads, each as a stage of its own to run. */
export function lanesOf(stage: Stage): readonly Stage[] {
  return stage.slowLane === null ? [stage] : [stage, { ...stage, ...stage.slowLane }];
}
