// What an operator needs beyond the ports of the stages: queues, mail newest first. All worlds (embedded, emulator, a
// deployment on AWS) offer the same; nothing here changes a message.
import { z } from 'zod';
import type { MessageId } from '#mail/header/message-id.ts';
import { queueName } from '#ops/api/parameters.ts';
import type { MarkedSummary } from '#ops/messages/message-summary.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';

const count = z.number();

/**
 * The jobs of one queue. `ready`: due now; `delayed`: due later; `inFlight`: received by a worker; `dead`: dead letters.
 * `oldestSeconds`: how long the oldest ready job has been due, null if none is. `faults`: the own faults that jobs wait for,
 * how many jobs wait for each, and when the first of them is tried again (ISO 8601).
 */
export const queueCountsSchema = z.object({
  name: queueName,
  ready: count,
  delayed: count,
  inFlight: count,
  dead: count,
  oldestSeconds: count.nullable(),
  faults: z.array(z.object({ reason: z.string(), jobs: count, retryAt: z.string() })),
});
export type QueueCounts = z.infer<typeof queueCountsSchema>;

/**
 * `mailboxes`: by name (`local@domain`), each with its copies; `messages` and `unread` count each message once, however many
 * mailboxes it is in. `tags`: by name, with the messages that have it.
 */
export const mailboxCountsSchema = z.object({
  mailboxes: z.array(z.object({ name: z.string(), messages: count, unread: count })),
  messages: count,
  unread: count,
  tags: z.array(z.object({ name: z.string(), messages: count })),
});
export type MailboxCounts = Readonly<z.infer<typeof mailboxCountsSchema>>;

/**
 * A job that waits after a run that did not end well. `waits`: for a fault of ours to be mended (`fault`), for a hook that failed
 * (`hook`), or because its stage threw (`retry`). `tries`: runs that ended so, in a row; `retryAt`: when the next one is due (ISO 8601).
 */
export type HeldJob = {
  readonly queue: QueueName;
  readonly waits: 'fault' | 'hook' | 'retry';
  readonly reason: string;
  readonly tries: number;
  readonly retryAt: string;
};

/**
 * A dead letter: its message (null if the body does not say), its body as JSON text, the last error, how often it was tried,
 * and since when it is a dead letter.
 */
export const deadLetterSchema = z.object({
  queue: queueName,
  id: z.string().nullable(),
  body: z.string(),
  reason: z.string(),
  receiveCount: count,
  diedAt: z.string(),
});
export type DeadLetter = z.infer<typeof deadLetterSchema>;

/** `mailbox`: `local@domain`, or `@domain` for all of a domain. `q`: text looked for in sender, recipient, subject, body. */
export type MessageQuery = {
  readonly mailbox: string | null;
  readonly q: string | null;
  readonly limit: number;
  /** The `next` of the page before, or null for the newest. */
  readonly after: string | null;
};

/** One page, newest first; `next` is null at the end. */
export type MessagePage = { readonly messages: readonly MarkedSummary[]; readonly next: string | null };

/** `id` null: of all messages. */
export type DeliveryQuery = Pick<MessageQuery, 'limit' | 'after'> & { readonly id: string | null };

/** `everywhere`: for what must not miss one, however long it takes. */
type FindHow = { readonly everywhere?: boolean };

/** What every world offers. A throw is a fault of the platform. */
export type MailAdmin = {
  readonly queues: () => Promise<readonly QueueCounts[]>;
  /** Puts dead letters back on their queue with a fresh count, and tries jobs that wait for an own fault; answers how many. */
  readonly redrive: (queue: QueueName) => Promise<number>;
  /** Deletes the dead letters of a queue (never waiting jobs); answers how many. */
  readonly purge: (queue: QueueName) => Promise<number>;
  /** The dead letters of a queue, latest first. */
  readonly deadLetters: (queue: QueueName, limit: number) => Promise<readonly DeadLetter[]>;
  /** The jobs of a message that wait after a run that did not end well; none if the queue cannot tell (SQS: its log does). */
  readonly heldJobs: (id: string) => Promise<readonly HeldJob[]>;
  readonly messages: (query: MessageQuery) => Promise<MessagePage>;
  /**
   * The keys of the inbox and quarantine objects made from one message (one for each local recipient), in key order. Without an index
   * (AWS) they are those that the configuration leads to, and all of them only with `everywhere`, which asks for each mailbox.
   */
  readonly findMessage: (id: string, how?: FindHow) => Promise<readonly string[]>;
  /** Those of these messages that a queue has a job of, or (where queues cannot tell) may have one. */
  readonly underWay: (ids: readonly MessageId[]) => Promise<readonly string[]>;
  /** The keys of `deliveries/` objects, newest message first. */
  readonly deliveryKeys: (
    query: DeliveryQuery,
  ) => Promise<{ readonly keys: readonly string[]; readonly next: string | null }>;
};

/** A world that runs in this process. */
export type OpsAdmin = MailAdmin & {
  /** Of the message stored under this key; null if there is none. */
  readonly summary: (key: string) => Promise<MarkedSummary | null>;
  readonly mailboxes: () => Promise<MailboxCounts>;
  /** The oldest messages of the mailbox `local@domain`. */
  readonly oldest: (mailbox: string, limit: number) => Promise<readonly MessageId[]>;
  /** Calls back with the key of each object written under inbox/, quarantine/, deliveries/, marks/; answers how to stop. */
  readonly watch: (listener: (key: string) => void) => () => void;
  /** Likewise, of each object deleted under inbox/ and quarantine/: by a person, or since its time is over. */
  readonly watchDeleted: (listener: (key: string) => void) => () => void;
};
