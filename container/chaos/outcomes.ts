// What chaos did lately, and which message got in after it: kept in memory for the API and the trace.

import type { MessageId } from '#mail/header/message-id.ts';
import { shownReply } from '#mail/smtp/reply.ts';
import type { ChaosOutcome } from '#pipeline/chaos/outcome.ts';
import type { ChaosStage } from '#pipeline/chaos/settings.ts';
import type { Clock } from '#pipeline/contract/ports.ts';
import type { DrawnFault } from './draw-fault.ts';

const kept = 1_000;

/** A transaction as a client in between would see it; the object itself tells one from another. */
export type SeenTransaction = {
  readonly reversePath: string;
  readonly recipients: readonly { readonly address: string }[];
};

/** Where a fault was done. `session`: any object of the session's own. `recipients`: those that it concerned. */
export type Happened = DrawnFault & {
  readonly stage: ChaosStage;
  readonly session: object;
  readonly clientIp: string;
  readonly reversePath: string | null;
  readonly recipients: readonly string[];
  readonly transaction: SeenTransaction | null;
};

type Entry = Pick<Happened, 'session' | 'transaction' | 'recipients'> & { outcome: ChaosOutcome };

export type Outcomes = {
  readonly add: (happened: Happened) => ChaosOutcome;
  /** Says that a message got in: faults of its transaction, of its session before it, and of earlier tries of it are its own. */
  readonly accepted: (id: MessageId, session: object, transaction: SeenTransaction) => void;
  /** The newest first. */
  readonly recent: () => readonly ChaosOutcome[];
  /** Those before a message got in, in order of time. */
  readonly of: (id: MessageId) => readonly ChaosOutcome[];
};

export function createOutcomes(clock: Clock): Outcomes {
  const entries: Entry[] = [];
  return {
    add: (happened) => {
      const { fault, asker, stage, clientIp, reversePath, recipients } = happened;
      const { ending, delaySeconds, why } = fault;
      const outcome = {
        at: new Date(clock()).toISOString(),
        stage,
        why,
        delaySeconds,
        reply: ending.kind === 'reply' ? shownReply(ending.reply) : null,
        dropped: ending.kind === 'drop',
        clientIp,
        reversePath,
        recipient: (stage === 'mail' ? null : asker?.address) ?? recipients[0] ?? null,
        id: null,
      };
      entries.push({ ...happened, outcome });
      if (entries.length > kept) entries.shift();
      return outcome;
    },
    accepted: (id, session, transaction) => {
      for (const entry of entries) {
        if (entry.outcome.id === null && isBefore(entry, session, transaction))
          entry.outcome = { ...entry.outcome, id };
      }
    },
    recent: () => entries.map(({ outcome }) => outcome).reverse(),
    of: (id) => entries.map(({ outcome }) => outcome).filter((outcome) => outcome.id === id),
  };
}

/** An earlier try of a message has its sender and one of its recipients; before MAIL there is the session alone to tell. */
function isBefore(entry: Entry, session: object, transaction: SeenTransaction): boolean {
  if (entry.transaction === transaction) return true;
  const { reversePath } = entry.outcome;
  if (reversePath === null) return entry.session === session;
  const before = entry.recipients.map((recipient) => recipient.toLowerCase());
  const isSameRecipient = transaction.recipients.some(({ address }) => before.includes(address.toLowerCase()));
  return reversePath === transaction.reversePath && isSameRecipient;
}
