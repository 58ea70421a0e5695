// Faults between a client and its conversation, as a bad network and a bad server would make them: a command is held back, answered in
// place of the conversation, or the connection dropped. What a fault answers never reaches the conversation.
import { readCommand, splitCommand } from '#container/session/envelope-command.ts';
import { type Conversation, type MessageReceiver, type Step, say } from '#container/session/step.ts';
import { type EmailAddress, formatAddress } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import { replies } from '#mail/smtp/replies.ts';
import { isPositive } from '#mail/smtp/reply.ts';
import { askedFault } from '#pipeline/chaos/fault-words.ts';
import type { Asker } from './draw-fault.ts';
import { answer, type DisturbDeps, meet, type Pass, type Session, type Transaction } from './meet-fault.ts';

/** The conversation, disturbed. While chaos is off, every command goes straight through. */
export function disturbSession(inner: Conversation, deps: DisturbDeps): Conversation {
  const session: Session = {
    deps,
    inner,
    isGreeted: false,
    transaction: null,
    greeting: null,
    isTurnedAway: false,
    left: new AbortController(),
  };
  return {
    ...inner,
    greet: () => greet(session),
    command: (line) => session.greeting?.then(() => command(session, line)) ?? command(session, line),
    secured(tls) {
      session.isGreeted = false;
      session.transaction = null;
      inner.secured(tls);
    },
    closed() {
      session.left.abort();
      session.left = new AbortController(); // a message that failed closes no connection
      inner.closed();
    },
  };
}

function greet(session: Session): Step | Promise<Step> {
  const step = meet(session, {
    stage: 'connect',
    pass: session.inner.greet,
    refuse: (reply) => {
      session.isTurnedAway = true;
      return answer(reply);
    },
  });
  if (!(step instanceof Promise)) return step;
  session.greeting = step.finally(() => {
    session.greeting = null;
  });
  return step;
}

function command(session: Session, line: Buffer): Step | Promise<Step> {
  const { inner, transaction } = session;
  const pass = () => inner.command(line);
  const { verb, argument } = splitCommand(line.toString('utf8'));
  if (session.isTurnedAway && verb !== 'QUIT') return say(replies.noService);
  switch (verb) {
    case 'EHLO':
    case 'HELO':
      return meet(session, { stage: 'helo', pass: () => greeted(session, pass()) });
    case 'AUTH':
      return session.isGreeted ? meet(session, { stage: 'auth', pass }) : pass();
    case 'MAIL':
      return session.isGreeted && transaction === null ? sender(session, argument, pass) : pass();
    case 'RCPT':
      return transaction === null ? pass() : recipient(session, transaction, { argument, pass });
    case 'DATA':
      return transaction === null ? pass() : data(session, transaction, pass);
    case 'BDAT':
      return transaction === null ? pass() : chunk(session, transaction, pass);
    case 'RSET':
      session.transaction = null;
      return pass();
    default:
      return pass();
  }
}

function greeted(session: Session, step: Step | Promise<Step>): Step | Promise<Step> {
  if (step instanceof Promise) return step.then((settled) => greeted(session, settled));
  if (!isYes(step)) return step;
  session.isGreeted = true;
  session.transaction = null;
  return step;
}

/** An address as the sender asks for a fault at MAIL alone. */
function sender(session: Session, argument: string, pass: Pass): Step | Promise<Step> {
  const read = readCommand(argument, 'FROM');
  if (session.deps.draw() === null || isProblem(read)) return pass();
  const asker = read.path.kind === 'address' ? askerOf(read.path.address) : null;
  const begun = { reversePath: asker?.address ?? '', recipients: [], hasRefused: false, hasBegun: false };
  return meet(session, {
    stage: 'mail',
    askers: asker === null ? [] : [asker],
    transaction: begun,
    pass: async () => {
      const step = await pass();
      if (isYes(step)) session.transaction = begun;
      return step;
    },
  });
}

function recipient(
  session: Session,
  transaction: Transaction,
  { argument, pass }: { readonly argument: string; readonly pass: Pass },
): Step | Promise<Step> {
  const read = readCommand(argument, 'TO');
  if (isProblem(read) || read.path.kind !== 'address') return pass();
  const asker = askerOf(read.path.address);
  return meet(session, {
    stage: 'rcpt',
    askers: [asker],
    refuse: (reply) => {
      transaction.hasRefused = true;
      return answer(reply);
    },
    pass: async () => {
      const step = await pass();
      if (isYes(step)) transaction.recipients.push(asker);
      return step;
    },
  });
}

async function data(session: Session, transaction: Transaction, pass: Pass): Promise<Step> {
  if (transaction.recipients.length === 0) return withoutRecipients(transaction, await pass());
  return meet(session, {
    stage: 'data',
    askers: transaction.recipients,
    refuse: (reply) => {
      dropTransaction(session);
      return answer(reply);
    },
    pass: async () => {
      const step = await pass();
      return step.step === 'data' ? { ...step, receiver: untilEnd(session, transaction, step.receiver) } : step;
    },
  });
}

/** The conversation knows nothing of recipients that chaos refused. */
function withoutRecipients({ hasRefused }: Transaction, step: Step): Step {
  const isMissing = step.step === 'reply' && step.reply === replies.rcptFirst;
  return isMissing && hasRefused ? say(replies.noValidRecipients) : step;
}

async function chunk(session: Session, transaction: Transaction, pass: Pass): Promise<Step> {
  const passOn = async (): Promise<Step> => {
    const step = await pass();
    const isLast = step.step === 'chunk' && step.receiver.id !== undefined;
    return isLast ? { ...step, receiver: untilEnd(session, transaction, step.receiver) } : step;
  };
  if (transaction.hasBegun || transaction.recipients.length === 0) return passOn();
  transaction.hasBegun = true;
  return meet(session, {
    stage: 'data',
    askers: transaction.recipients,
    refuse: async (reply) => {
      // Without a transaction the conversation throws away the octets that come behind the command (RFC 3030 §2).
      dropTransaction(session);
      const step = await pass();
      return step.step === 'chunk' ? { ...step, receiver: { ...step.receiver, end: () => answer(reply) } } : step;
    },
    pass: passOn,
  });
}

function untilEnd(session: Session, transaction: Transaction, receiver: MessageReceiver): MessageReceiver {
  const { deps, inner } = session;
  return {
    ...receiver,
    end: () => {
      session.transaction = null;
      return meet(session, {
        stage: 'end',
        askers: transaction.recipients,
        transaction,
        refuse: (reply) => {
          inner.closed();
          return answer(reply);
        },
        pass: async () => {
          const step = await receiver.end();
          if (isYes(step) && receiver.id !== undefined) deps.accepted(receiver.id, session, transaction);
          return step;
        },
      });
    },
  };
}

function dropTransaction(session: Session): void {
  session.transaction = null;
  session.inner.closed();
}

function askerOf(address: EmailAddress): Asker {
  const { localPart } = address;
  return { address: formatAddress(address), localPart, asked: askedFault(localPart) };
}

function isYes(step: Step): boolean {
  return step.step === 'reply' && isPositive(step.reply);
}
