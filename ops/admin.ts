// What an operator may ask of the world that the stages run in, beyond the ports: queues, mail newest first. All worlds
// (embedded, emulator, a deployment on AWS) offer the same; nothing here changes a message.

import type { MessageSummary } from '#ops/messages/message-summary.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';

/**
 * The jobs of one queue. `ready`: due now; `delayed`: due later; `inFlight`: received by a worker; `dead`: dead letters.
 * `oldestSeconds`: how long the oldest ready job has been due, null if none is. `faults`: the faults of ours that jobs wait
 * for, how many jobs each holds back, and when the first of them is tried again (ISO 8601).
 */
export type QueueCounts = {
  readonly name: QueueName;
  readonly ready: number;
  readonly delayed: number;
  readonly inFlight: number;
  readonly dead: number;
  readonly oldestSeconds: number | null;
  readonly faults: readonly { readonly reason: string; readonly jobs: number; readonly retryAt: string }[];
};

/** A job that waits for a fault of ours, and when it is tried again (ISO 8601). */
export type HeldJob = { readonly queue: QueueName; readonly reason: string; readonly retryAt: string };

/** A dead letter: the job's body as JSON text, why (the last error), how often it was tried, and since when it is one. */
export type DeadLetter = {
  readonly queue: QueueName;
  /** The message that the job is about, or null if the body does not say. */
  readonly id: string | null;
  readonly body: string;
  readonly reason: string;
  readonly receiveCount: number;
  readonly diedAt: string;
};

/** `mailbox`: `local@domain`, or `@domain` for all of a domain. `q`: text looked for in sender, recipient, subject, body. */
export type MessageQuery = {
  readonly mailbox: string | null;
  readonly q: string | null;
  readonly limit: number;
  /** The `next` of the page before, or null for the newest. */
  readonly after: string | null;
};

/** One page, newest first; `next` is null at the end. */
export type MessagePage = { readonly messages: readonly MessageSummary[]; readonly next: string | null };

/** What every world offers. A throw is a fault of the platform. */
export type MailAdmin = {
  readonly queues: () => Promise<readonly QueueCounts[]>;
  /** Puts dead letters back on their queue with a fresh count, and tries at once what waits for a fault of ours; answers how many. */
  readonly redrive: (queue: QueueName) => Promise<number>;
  /** Deletes the dead letters of a queue (never waiting jobs); answers how many. */
  readonly purge: (queue: QueueName) => Promise<number>;
  /** The dead letters of a queue, latest first. */
  readonly deadLetters: (queue: QueueName, limit: number) => Promise<readonly DeadLetter[]>;
  /** The jobs of a message that wait for a fault of ours; none if the queue cannot be looked into (SQS). */
  readonly heldJobs: (id: string) => Promise<readonly HeldJob[]>;
  readonly messages: (query: MessageQuery) => Promise<MessagePage>;
  /** The keys of the inbox and quarantine objects made from one message (one for each local recipient), in key order. */
  readonly findMessage: (id: string) => Promise<readonly string[]>;
  /** The keys of `deliveries/` objects, newest message first; with `id`, those of one message. */
  readonly deliveryKeys: (query: {
    readonly id: string | null;
    readonly limit: number;
    readonly after: string | null;
  }) => Promise<{ readonly keys: readonly string[]; readonly next: string | null }>;
};

/** The same of a world that runs in this process, and so can be watched. */
export type OpsAdmin = MailAdmin & {
  /** The line that a list shows of the message stored under this key; null if there is none. */
  readonly summary: (key: string) => Promise<MessageSummary | null>;
  /** Calls back with the key of each object written under inbox/, quarantine/, deliveries/; answers how to stop that. */
  readonly watch: (listener: (key: string) => void) => () => void;
};
