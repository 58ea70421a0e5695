// What the main thread asks of the database thread, and what it is answered. Requests travel in batches, one message
// for all that came up in a turn of the event loop; the bodies of a batch travel in one transferred buffer.

import type { FileContent } from '#local/embedded/store/body-files.ts';
import type { BodiesReport } from '#local/embedded/store/check-bodies.ts';
import type { LeasedJob, LeaseTerms } from '#local/run/job-source.ts';
import type { DeadLetter, HeldJob, MailboxCounts, MessagePage, MessageQuery, QueueCounts } from '#ops/admin.ts';
import type { MarkedSummary } from '#ops/messages/message-summary.ts';
import type { KeptSince } from '#pipeline/contract/keys.ts';
import type { ListPage, ObjectFacts, PutOutcome, WriteCondition } from '#pipeline/contract/ports.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';

/** The content type of a message. */
export const messageType = 'message/rfc822';

/** A body: a part of the batch's buffer, or a file of the bodies folder that is already durable. */
export type Content = InlineContent | FileContent;

/** A part of the batch's buffer. */
export type InlineContent = { readonly kind: 'inline'; readonly at: number; readonly bytes: number };

/** What comes behind an object's body and is kept once for all objects that have it; `at` null: the thread is thought to have it. */
export type SharedContent = { readonly sha256: string; readonly bytes: number; readonly at: number | null };

/** An object to be written; `metadata` is JSON text. */
export type NewObject = {
  readonly key: string;
  readonly contentType: string;
  readonly metadata: string;
  readonly content: Content;
  readonly shared?: SharedContent;
  readonly condition: WriteCondition | null;
};

/** A job to be queued: its body as JSON text, handed out from `due` on (milliseconds since 1970). */
export type NewJob = {
  readonly queue: QueueName;
  readonly body: string;
  readonly messageId: string;
  readonly group: string;
  readonly due: number;
};

/** An object as the database knows it: its body, or the file that holds it. */
export type FoundObject = ObjectFacts &
  (
    | { readonly kind: 'inline'; readonly content: Uint8Array }
    | { readonly kind: 'file'; readonly file: string; readonly sha256: string | null }
  );

type Exchange = {
  /** Message, perhaps its envelope beside it, and its job: all or nothing. */
  accept: { ask: { readonly objects: readonly NewObject[]; readonly job: NewJob }; answer: null };
  /** The usual message: alone, and short enough for a row. Flat, since this is what is sent most. */
  acceptRow: {
    ask: {
      readonly key: string;
      readonly metadata: string;
      readonly at: number;
      readonly bytes: number;
      readonly job: string;
      readonly messageId: string;
      readonly group: string;
      readonly due: number;
    };
    answer: null;
  };
  /** `lacks-shared`: nothing was written; the shared part has to come along. */
  put: { ask: { readonly object: NewObject }; answer: PutOutcome | { readonly outcome: 'lacks-shared' } };
  get: { ask: { readonly key: string }; answer: FoundObject | null };
  head: { ask: { readonly key: string }; answer: ObjectFacts | null };
  list: { ask: { readonly prefix: string; readonly after: string; readonly limit: number }; answer: ListPage };
  delete: { ask: { readonly key: string; readonly ifMatch: string | null }; answer: 'deleted' | 'conflict' };
  send: { ask: { readonly job: NewJob }; answer: null };
  /** Answered when there is a job, or with none when the queues stop. */
  lease: { ask: LeaseTerms; answer: readonly LeasedJob[] };
  ack: { ask: { readonly handles: readonly number[]; readonly isMended?: boolean }; answer: null };
  /** `retryAt` null: not again, it is a dead letter now, and the jobs of `tell` are queued with that. */
  nack: {
    ask: {
      readonly handle: number;
      readonly receiveCount: number;
      readonly retryAt: number | null;
      readonly reason: string;
      readonly isOurFault: boolean;
      readonly tell: readonly NewJob[];
    };
    answer: null;
  };
  stopLeases: { ask: object; answer: null };
  queues: { ask: object; answer: readonly QueueCounts[] };
  redrive: { ask: { readonly queue: QueueName }; answer: number };
  purge: { ask: { readonly queue: QueueName }; answer: number };
  deadLetters: { ask: { readonly queue: QueueName; readonly limit: number }; answer: readonly DeadLetter[] };
  /** Those jobs of a message that wait for a fault of ours to be mended, or for a hook that failed. */
  heldJobs: { ask: { readonly id: string }; answer: readonly HeldJob[] };
  /** A step of a search, which looks at a bounded number of rows: `next` is where to look on, null at the end. */
  messages: { ask: MessageQuery; answer: MessagePage };
  summary: { ask: { readonly key: string }; answer: MarkedSummary | null };
  /**
   * A step of the index of texts: takes some messages in, if so many wait, else puts a part of it in order. `areLeft`: messages wait;
   * `isMore`: another step has something to do at once.
   */
  indexText: {
    ask: { readonly atLeast: number; readonly limit: number };
    answer: { readonly areLeft: boolean; readonly isMore: boolean };
  };
  /** The ids of the oldest messages of a mailbox. */
  oldest: { ask: { readonly mailbox: string; readonly limit: number }; answer: readonly string[] };
  mailboxes: { ask: object; answer: MailboxCounts };
  findMessage: { ask: { readonly id: string }; answer: readonly string[] };
  /** Those of the messages that have a job on a queue, or out with a worker. */
  underWay: { ask: { readonly ids: readonly string[] }; answer: readonly string[] };
  newestKeys: {
    ask: { readonly prefix: string; readonly before: string | null; readonly limit: number };
    answer: { readonly keys: readonly string[]; readonly next: string | null };
  };
  /** Deletes some of what is older than these times; answers the keys: none means nothing is left. */
  sweep: {
    ask: { readonly before: KeptSince; readonly limit: number };
    answer: readonly string[];
  };
  /** Gives a little of the free space in the file back to the disk; answers whether more could be given. */
  shrink: { ask: object; answer: boolean };
  /** Looks at the clock: hands out what has become due, takes back what was not answered in time. */
  tick: { ask: object; answer: null };
  statistics: { ask: object; answer: Statistics };
  close: { ask: object; answer: null };
};

/** What the database thread did since it was started. */
export type Statistics = {
  readonly operations: number;
  readonly commits: number;
  /** Messages that a search still reads, since the index of texts does not have them yet. */
  readonly mailToIndex: number;
};

/** The kinds of request. */
export type Kind = keyof Exchange;

/** A request of one kind; without a kind, any request. */
export type Request<K extends Kind = Kind> = { [Each in K]: { readonly kind: Each } & Exchange[Each]['ask'] }[K];

/** What a request of one kind is answered. */
export type Answer<K extends Kind = Kind> = Exchange[K]['answer'];

/** One message to the database thread. `buffer` holds the inline bodies; `now` is the time to go by. */
export type Batch = {
  readonly now: number;
  readonly buffer: ArrayBuffer;
  readonly requests: readonly { readonly number: number; readonly request: Request }[];
};

/** One answer: the value, or the text of the error that this request alone met. */
export type Reply =
  | { readonly number: number; readonly value: Answer }
  | { readonly number: number; readonly error: string };

/** What was found at the start: objects with files, those that are damaged, and how many files belong to none. */
export type OpenedBodies = Pick<BodiesReport, 'files' | 'damaged'> & { readonly orphans: number };

/** The first message from the database thread: it works from now on, or why it does not. */
export type Opened =
  | { readonly opened: true; readonly bodies: OpenedBodies }
  | { readonly opened: false; readonly reason: string };

/** One message from the database thread. `nextDue`: when something is due next (for the one timer), null for never. */
export type ReplyBatch = { readonly replies: readonly Reply[]; readonly nextDue: number | null };
