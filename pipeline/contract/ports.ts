// The ports of the stages, as types. The adapters are in pipeline/aws and in local/embedded; both pass the same suite of
// tests. A port throws if the platform fails; what a mail host or a message can do to us is a value.
import type { EventName } from '#pipeline/observe/event-names.ts';
import type { CounterName, LabelsOf, MeasureName } from '#pipeline/observe/metric-names.ts';
import type { JobOf, ReceivedJob } from './jobs.ts';
import type { QueueName } from './stages.ts';

/** The time, in milliseconds since 1970. */
export type Clock = () => number;

/** `metadata` keys are lower-case; `etag` changes with every write. */
export type ObjectFacts = {
  readonly key: string;
  readonly bytes: number;
  readonly etag: string;
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly modifiedAt: string;
};

/** `body` must be consumed or destroyed; chunks are at most some 64 KiB. */
export type StoredObject = ObjectFacts & { readonly body: AsyncIterable<Uint8Array> };

/** First and last byte, both inclusive, cut at the object's end. */
export type ByteRange = { readonly first: number; readonly last: number };

/** When a write may happen: only if nothing is there yet, or only over the version with this etag. */
export type WriteCondition = { readonly ifAbsent: true } | { readonly ifMatch: string };

export type PutRequest = {
  readonly key: string;
  readonly body: Uint8Array | AsyncIterable<Uint8Array>;
  /** Follows `body` and is the same in several objects: a store may keep it once. Give the same array each time. */
  readonly sharedTail?: Uint8Array;
  readonly contentType: string;
  /** ASCII, at most 2 KB altogether. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly condition?: WriteCondition;
};

/** `conflict`: the condition did not hold, nothing was written. */
export type PutOutcome = { readonly outcome: 'stored'; readonly etag: string } | { readonly outcome: 'conflict' };

type ListQuery = { readonly prefix: string; readonly after?: string; readonly limit?: number };

export type ListPage = {
  /** In order of key (UTF-8 bytes). */
  readonly objects: readonly Pick<ObjectFacts, 'key' | 'bytes' | 'etag' | 'modifiedAt'>[];
  /** Pass as `after` to read on; null at the end. */
  readonly next: string | null;
};

/** The object store (S3, or the embedded one). Everything written is durable when the promise resolves. */
export type ObjectStore = {
  readonly put: (request: PutRequest) => Promise<PutOutcome>;
  /** Null if there is no such object. */
  readonly get: (key: string, range?: ByteRange) => Promise<StoredObject | null>;
  readonly head: (key: string) => Promise<ObjectFacts | null>;
  readonly list: (query: ListQuery) => Promise<ListPage>;
  /** Resolves also if there was nothing; `conflict` if the etag was another. */
  readonly delete: (key: string, condition?: { readonly ifMatch: string }) => Promise<'deleted' | 'conflict'>;
};

export type SendOptions = {
  /** The job is not received before this time (ISO 8601), however far ahead. */
  readonly notBefore?: string;
  /** Fair-queue group: no group can delay the others (the destination's domain for `deliver`). */
  readonly group?: string;
  /** Runs of this job in a row that ended by an own fault: the next wait depends on that. */
  readonly faults?: number;
};

/** The job is durable when the promise resolves. */
export type JobSender = {
  readonly send: <Queue extends QueueName>(queue: Queue, job: JobOf<Queue>, options?: SendOptions) => Promise<void>;
};

/**
 * A message being received. `write` answers undefined if the next chunk may come at once, or a promise to wait for
 * (back-pressure). `commit` resolves when message and job are both durable: only then may the client get its 250. `abort`
 * removes what was written; call it after a failed `write` or `commit`.
 */
export type IntakeWriter = {
  readonly write: (chunk: Uint8Array) => Promise<void> | undefined;
  readonly commit: (job: ReceivedJob) => Promise<void>;
  readonly abort: () => Promise<void>;
};

/** Stores a received message and queues its job. A small message costs one write. */
export type Intake = {
  readonly open: (request: {
    readonly key: string;
    /** A JSON object, kept with the message; see pipeline/contract/stored-envelope.ts. */
    readonly envelope: object;
  }) => IntakeWriter;
};

/**
 * Resolves a secret reference (`secret:NAME`, `file:PATH`, `env:NAME`) to its text; throws if there is none. It may be some
 * minutes old; `fresh` asks for the newest, after the one before could not be used.
 */
export type Secrets = { readonly read: (reference: string, how?: { readonly fresh?: boolean }) => Promise<string> };

/**
 * The shape of `dns.promises.resolve`: answers by type, errors with a `code` (`ENOTFOUND`, `ENODATA`, `ETIMEOUT` …).
 * `failFast`: fail at once if the zone is known not to answer, since the caller will ask again later.
 */
export type Resolve = (name: string, type: string, options?: { readonly failFast?: boolean }) => Promise<unknown>;

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

/** Makes a URL by which anybody may read an object until `expiresAt` (ISO 8601). */
export type LinkTo = (key: string) => Promise<{ readonly url: string; readonly expiresAt: string }>;

/**
 * How a job was received. `receiveCount`: how many times, from 1, without those that ended by an own fault; `faults` counts
 * these in a row before this one. While work goes through `whileWaiting`, it waits for others, and the job holds no worker.
 */
export type Handout = {
  readonly receiveCount: number;
  readonly faults?: number;
  readonly whileWaiting?: <Found>(work: () => Promise<Found>) => Promise<Found>;
};
