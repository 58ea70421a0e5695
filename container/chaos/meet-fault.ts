// A session with chaos in between: what is known of it, and the one place where a fault is drawn and done.
import { type Client, type Conversation, type Step, say, sayAndClose } from '#container/session/step.ts';
import type { MessageId } from '#mail/header/message-id.ts';
import type { Reply } from '#mail/smtp/reply.ts';
import type { ChaosStage } from '#pipeline/chaos/settings.ts';
import type { Asker, DrawFault } from './draw-fault.ts';
import type { Happened, SeenTransaction } from './outcomes.ts';

export type DisturbDeps = {
  readonly client: Client;
  /** Null while chaos is off. */
  readonly draw: () => DrawFault | null;
  /** Resolves after the time, or as soon as the signal says that the client is gone, or the listener closes. */
  readonly wait: (seconds: number, left: AbortSignal) => Promise<void>;
  readonly happened: (what: Happened) => void;
  readonly accepted: (id: MessageId, session: object, transaction: SeenTransaction) => void;
};

/** As a client sees it. `hasBegun`: its first BDAT came. */
export type Transaction = {
  readonly reversePath: string;
  readonly recipients: Asker[];
  hasRefused: boolean;
  hasBegun: boolean;
};

export type Session = {
  readonly deps: DisturbDeps;
  readonly inner: Conversation;
  /** EHLO or HELO was accepted. */
  isGreeted: boolean;
  /** From the MAIL that was accepted to the end of the message; null also if chaos was off at MAIL. */
  transaction: Transaction | null;
  /** While the greeting is held back: a client that does not wait for it is answered after it. */
  greeting: Promise<unknown> | null;
  /** The greeting was a refusal: only QUIT is left to say (RFC 5321 §3.1). */
  isTurnedAway: boolean;
  /** Aborted when the client is gone. */
  left: AbortController;
};

export type Pass = () => Step | Promise<Step>;

/** A stage that may have a fault. `refuse`: how its refusal is said; `pass`: what happens without one. */
type Stage = {
  readonly stage: ChaosStage;
  readonly askers?: readonly Asker[];
  readonly transaction?: Transaction | null;
  readonly refuse?: (reply: Reply) => Step | Promise<Step>;
  readonly pass: Pass;
};

/** Does what is drawn for a stage, or goes on as usual. */
export function meet(session: Session, about: Stage): Step | Promise<Step> {
  const { stage, askers = [], transaction = session.transaction, refuse = answer, pass } = about;
  const { deps, left } = session;
  const drawn = deps.draw()?.(stage, askers) ?? null;
  if (drawn === null) return pass();
  deps.happened({
    ...drawn,
    stage,
    session,
    clientIp: deps.client.peer.ip,
    reversePath: transaction?.reversePath ?? null,
    recipients: stage === 'mail' ? [] : askers.map(({ address }) => address),
    transaction,
  });
  const { delaySeconds, ending } = drawn.fault;
  const end = (): Step | Promise<Step> => {
    switch (ending.kind) {
      case 'pass':
        return pass();
      case 'drop':
        return { step: 'drop' };
      case 'reply':
        return refuse(ending.reply);
    }
  };
  if (delaySeconds === 0) return end();
  deps.client.flush();
  return deps.wait(delaySeconds, left.signal).then(() => (left.signal.aborted ? { step: 'drop' } : end()));
}

/** 421 closes the connection (RFC 5321 §3.8). */
export function answer(reply: Reply): Step {
  return reply.code === 421 ? sayAndClose(reply) : say(reply);
}
