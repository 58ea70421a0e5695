// What stages may ask of the world, as types. The adapters are in pipeline/aws and in local/embedded; both pass the same suite of
// tests. A port throws when the platform fails; what the mail world can do to us is a value.
import type { EventName } from '#pipeline/observe/event-names.ts';
import type { CounterName, LabelsOf, MeasureName } from '#pipeline/observe/metric-names.ts';
import type { JobOf, ReceivedJob } from './jobs.ts';
import type { QueueName } from './stages.ts';

/** The time, in milliseconds since 1970. */
export type Clock = () => number;

/** What is known of a stored object. `metadata` keys are lower-case; `etag` changes with every write. */
export type ObjectFacts = {
  readonly key: string;
  readonly bytes: number;
  readonly etag: string;
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly modifiedAt: string;
};

/** A stored object being read; `body` must be consumed or destroyed, chunks are at most some 64 KiB. */
export type StoredObject = ObjectFacts & { readonly body: AsyncIterable<Uint8Array> };

/** When a write may happen: only if nothing is there yet, or only over the version with this etag. */
export type WriteCondition = { readonly ifAbsent: true } | { readonly ifMatch: string };

export type PutRequest = {
  readonly key: string;
  readonly body: Uint8Array | AsyncIterable<Uint8Array>;
  /**
   * Follows `body` and is the same in several objects: a store may keep it once, readers see one object. Give the
   * same array each time.
   */
  readonly sharedTail?: Uint8Array;
  readonly contentType: string;
  /** ASCII, at most 2 KB altogether. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly condition?: WriteCondition;
};

/** `conflict`: the condition did not hold, nothing was written. */
export type PutOutcome = { readonly outcome: 'stored'; readonly etag: string } | { readonly outcome: 'conflict' };

export type ListPage = {
  /** In order of key (UTF-8 bytes). */
  readonly objects: readonly Pick<ObjectFacts, 'key' | 'bytes' | 'etag' | 'modifiedAt'>[];
  /** Pass as `after` to read on; null at the end. */
  readonly next: string | null;
};

/** The object store (S3, or the embedded one). Everything written is durable when the promise resolves. */
export type ObjectStore = {
  readonly put: (request: PutRequest) => Promise<PutOutcome>;
  /** Null if there is no such object. `range`: first and last byte, both inclusive, cut at the object's end. */
  readonly get: (
    key: string,
    range?: { readonly first: number; readonly last: number },
  ) => Promise<StoredObject | null>;
  readonly head: (key: string) => Promise<ObjectFacts | null>;
  readonly list: (query: {
    readonly prefix: string;
    readonly after?: string;
    readonly limit?: number;
  }) => Promise<ListPage>;
  /** Resolves also if there was nothing; `conflict` if the etag was another. */
  readonly delete: (key: string, condition?: { readonly ifMatch: string }) => Promise<'deleted' | 'conflict'>;
};

export type SendOptions = {
  /** The job is not handed out before this time (ISO 8601); any time ahead, SQS hops of 900 s are the adapter's. */
  readonly notBefore?: string;
  /** Fair-queue group: no group can keep the others waiting (the destination's domain for `deliver`). */
  readonly group?: string;
  /** Hand-outs of this job in a row that ended by a fault of ours: how long it waits next goes by that. */
  readonly faults?: number;
};

/** The way to put a job on a queue: durable when the promise resolves. */
export type JobSender = {
  readonly send: <Queue extends QueueName>(queue: Queue, job: JobOf<Queue>, options?: SendOptions) => Promise<void>;
};

/**
 * A message on its way in. `write` answers undefined if the next chunk may come at once, or a promise to wait
 * for (back-pressure). `commit` resolves when message and job are both durable: only then may the client be told 250.
 * `abort` leaves nothing behind that anything would find. After a failed `write` or `commit`, call `abort`.
 */
export type IntakeWriter = {
  readonly write: (chunk: Uint8Array) => Promise<void> | undefined;
  readonly commit: (job: ReceivedJob) => Promise<void>;
  readonly abort: () => Promise<void>;
};

/** The front door's way into store and queue `received`, in one go. Small messages cost one write each. */
export type Intake = {
  readonly open: (request: {
    readonly key: string;
    /** A JSON object, kept with the message; see pipeline/contract/stored-envelope.ts. */
    readonly envelope: object;
  }) => IntakeWriter;
};

/**
 * Resolves a secret reference (`secret:NAME`, `file:PATH`, `env:NAME`) to its text; throws if there is none. It may be some
 * minutes old; `fresh` asks for the newest, for those who found that what they were given cannot be used.
 */
export type Secrets = { readonly read: (reference: string, how?: { readonly fresh?: boolean }) => Promise<string> };

/**
 * The shape of `dns.promises.resolve`: answers by type, errors with a `code` (`ENOTFOUND`, `ENODATA`, `ETIMEOUT` …). `failFast`: who
 * asks will ask again later, so of a zone that is known not to answer the remembered failure will do.
 */
export type Resolve = (name: string, type: string, options?: { readonly failFast?: boolean }) => Promise<unknown>;

/** Facts for the log; a value is text, a number, a boolean or null. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** JSON lines on standard output. `id` (the message id) goes in fields. */
export type Log = {
  readonly info: (event: EventName, fields?: LogFields) => void;
  readonly warn: (event: EventName, fields?: LogFields) => void;
  readonly error: (event: EventName, fields?: LogFields) => void;
};

/**
 * Counters and measurements (CloudWatch EMF on AWS, Prometheus on one machine). Few labels, each with few values:
 * never an address, a domain or an id.
 */
export type Metrics = {
  readonly count: <Name extends CounterName>(name: Name, labels?: LabelsOf<Name>, by?: number) => void;
  readonly measure: <Name extends MeasureName>(name: Name, value: number, labels?: LabelsOf<Name>) => void;
};

/**
 * What a stage is told about the hand-out of its job: how many times the queue has handed it out, from 1. Those that ended by a
 * fault of ours are not among them: `faults` counts those in a row before this one. If `whileWaiting` is there, work that goes
 * through it is waiting for others: meanwhile the job holds no worker.
 */
export type Handout = {
  readonly receiveCount: number;
  readonly faults?: number;
  readonly whileWaiting?: <Found>(work: () => Promise<Found>) => Promise<Found>;
};
