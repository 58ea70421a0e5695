// One message over an open connection: MAIL, RCPT, DATA, and what came of it for each recipient (RFC 5321 §4.1.1),
// with PIPELINING (RFC 2920) and LIMITS (9422); what stands behind MAIL and RCPT is mail/smtp/parameters.ts.
// Written here because no client at hand tells what became of each recipient, or whether a connection broke before the final dot
// or after it: once the dot is out and no reply came, the outcome is `unknown`, not `untried`.
import type { OutgoingMessage } from '#functions/deliver/message/outgoing-message.ts';
import { parseAddress } from '#mail/address/address.ts';
import { pathsOf, type RecipientAtHost } from '#mail/envelope/recipient.ts';
import { errorMessage, isProblem } from '#mail/problem.ts';
import { mailCommand, type NextHop, rcptCommand, type SentRecipient } from '#mail/smtp/parameters.ts';
import { replies } from '#mail/smtp/replies.ts';
import { isPermanent, isPositive, type Reply, recordedReply } from '#mail/smtp/reply.ts';
import { type SmtpConnection, statedLimit } from './open-connection.ts';
import { type Broken, isBroken } from './reply-reader.ts';
import { sendContent } from './send-content.ts';
import { type AttemptTime, finalReplyLimitMs, type Timeouts } from './timeouts.ts';

/**
 * `reusable`: the connection may carry another message; `needsReset`: after RSET. `relaysDsn`: the peer took DSN parameters.
 * `transactions`: how many MAIL commands it took.
 */
export type SendResult = {
  readonly results: readonly RecipientAtHost[];
  readonly transactions: number;
  readonly reusable: boolean;
  readonly needsReset: boolean;
  readonly relaysDsn: boolean;
};

type Talk = {
  readonly connection: SmtpConnection;
  readonly message: OutgoingMessage;
  readonly timeouts: Timeouts;
  readonly reset: boolean;
  /** Transactions this connection may still carry. */
  readonly mailsLeft: number;
  readonly time: AttemptTime;
  /** Called before the first of a message's content goes out. */
  readonly onContent: () => void;
};

const rcptsPerTransaction = 100; // RFC 5321 §4.5.3.1.8: every peer takes that many

/** Sends the message to the recipients, in as many transactions as the peer needs. `reset`: RSET comes first. */
export async function sendMessage(talk: Talk, recipients: readonly SentRecipient[]): Promise<SendResult> {
  const relaysDsn = talk.connection.capabilities.has('DSN');
  const mail = mailCommandFor(talk);
  if (typeof mail !== 'string') {
    const results = recipients.map(({ forwardPath }) => ({ ...refused(mail), forwardPath }));
    return { results, reusable: true, needsReset: talk.reset, relaysDsn, transactions: 0 };
  }
  const limit = Math.min(rcptsPerTransaction, statedLimit(talk.connection, 'RCPTMAX'));
  const unsafe = recipients.filter(({ forwardPath }) => !isAddress(forwardPath));
  const results = unsafe.map(({ forwardPath }): RecipientAtHost => ({ ...noAddress, forwardPath }));
  let left = recipients.filter(({ forwardPath }) => isAddress(forwardPath));
  let state = { reusable: true, needsReset: talk.reset };
  let transactions = 0;
  const isTime = (): boolean => transactions === 0 || performance.now() < talk.time.beginBy;
  while (left.length > 0 && state.reusable && transactions < talk.mailsLeft && isTime()) {
    transactions += 1;
    const now = left.slice(0, limit);
    const begun = transact({ ...talk, reset: state.needsReset, mail }, now);
    const transaction = await begun.catch((thrown: unknown) => cutShort(now, results, thrown));
    state = transaction;
    const again = tooMany(transaction.results);
    results.push(...transaction.results.filter(({ forwardPath }) => !again.has(forwardPath)));
    left = [...now.filter(({ forwardPath }) => again.has(forwardPath)), ...left.slice(limit)];
  }
  results.push(...left.map(({ forwardPath }) => untried(forwardPath, 'the connection ended before it was reached')));
  return { results, reusable: state.reusable, needsReset: state.needsReset, relaysDsn, transactions };
}

/** What the host took before the message could not be read to its end stays true; throws if it took nothing. */
function cutShort(now: readonly SentRecipient[], before: readonly RecipientAtHost[], thrown: unknown): Transaction {
  if (!before.some(isAccepted)) throw thrown;
  const reason = `a fault of this service: ${errorMessage(thrown)}`;
  return { results: now.map(({ forwardPath }) => untried(forwardPath, reason)), reusable: false, needsReset: true };
}

/** Those refused only because there were too many in one transaction, if others were taken (RFC 5321 §4.5.3.1.10). */
function tooMany(results: readonly RecipientAtHost[]): ReadonlySet<string> {
  if (!results.some(({ outcome }) => outcome === 'accepted')) return new Set();
  const isOneTooMany = ({ stage, reply }: RecipientAtHost): boolean =>
    stage === 'rcpt' && (reply?.enhanced === '4.5.3' || (reply?.code === 452 && reply.enhanced === null));
  return pathsOf(results.filter(isOneTooMany));
}

type Transaction = Pick<SendResult, 'results' | 'reusable' | 'needsReset'>;

async function transact(
  talk: Talk & { readonly mail: string },
  recipients: readonly SentRecipient[],
): Promise<Transaction> {
  const { socket, capabilities } = talk.connection;
  const hop = nextHop(talk);
  const commands = [talk.mail, ...recipients.map((recipient) => rcptCommand(recipient, hop))];
  const pipelined = capabilities.has('PIPELINING');
  socket.setDeadline(talk.time.beginBy);
  if (pipelined) socket.write(`${[...(talk.reset ? ['RSET'] : []), ...commands, 'DATA'].join('\r\n')}\r\n`);
  const ask = (command: string): Promise<Reply | Broken> => {
    if (!pipelined) socket.write(`${command}\r\n`);
    return socket.nextReply(talk.timeouts.commandMs);
  };
  if (talk.reset) {
    const reset = await ask('RSET');
    if (isBroken(reset) || !isPositive(reset)) return allFailed(recipients, { stage: 'mail', answer: reset });
  }
  const mail = await ask(commands[0] ?? '');
  if (isBroken(mail) || !isPositive(mail)) {
    // Of a pipelined group answers are still to come: the connection is not worth sorting them out.
    const failed = allFailed(recipients, { stage: 'mail', answer: mail });
    return pipelined ? failed : { ...failed, reusable: !isBroken(mail) && mail.code !== 421 };
  }
  const answers: RecipientAtHost[] = [];
  for (const [index, { forwardPath }] of recipients.entries()) {
    const answer = await ask(commands[index + 1] ?? '');
    if (isBroken(answer) || answer.code === 421) {
      const rest = allFailed(recipients.slice(index), { stage: 'rcpt', answer });
      return { ...rest, results: [...answers.map(unsent(answer)), ...rest.results] };
    }
    answers.push(resultOf(forwardPath, 'rcpt', answer));
  }
  if (!pipelined && !answers.some(isAccepted)) return { results: answers, reusable: true, needsReset: true };
  if (!pipelined) socket.write('DATA\r\n');
  const data = await socket.nextReply(talk.timeouts.dataMs);
  return isBroken(data) || data.code !== 354 ? dataRefused(answers, data) : sendAfterData(talk, answers);
}

function dataRefused(answers: readonly RecipientAtHost[], data: Reply | Broken): Transaction {
  const results = answers.map((answer) => (isAccepted(answer) ? failed(answer.forwardPath, 'data', data) : answer));
  return { results, reusable: !isBroken(data) && data.code !== 421 && data.code >= 400, needsReset: true };
}

async function sendAfterData(talk: Talk, answers: readonly RecipientAtHost[]): Promise<Transaction> {
  const { socket } = talk.connection;
  const { message, timeouts } = talk;
  if (!answers.some(isAccepted)) {
    // RFC 2920 §3.1: a peer that says 354 although it took no recipient is given an empty message.
    socket.write('.\r\n');
    const answer = await socket.nextReply(timeouts.commandMs);
    return { results: answers, reusable: !isBroken(answer) && answer.code !== 421, needsReset: true };
  }
  talk.onContent();
  const broken = await sendContent({ ...talk, socket });
  if (broken !== null) {
    // A host that hangs up in the middle may have said why.
    const said = await socket.nextReply(1);
    return { ...dataRefused(answers, isBroken(said) ? broken : said), reusable: false };
  }
  // To give up now is to not know: this wait has all its time, whatever the attempt has left, and ends with the run alone.
  socket.setDeadline(talk.time.answerBy);
  const final = await socket.nextReply(finalReplyLimitMs(talk.time.finalReplyMs, message.bytes));
  const results = answers.map((answer) => {
    if (!isAccepted(answer)) return answer;
    return isBroken(final) ? unknown(answer.forwardPath, final) : resultOf(answer.forwardPath, 'message', final);
  });
  const isWhole = !isBroken(final) && final.code !== 421 && (final.code < 300 || final.code >= 400);
  return { results, reusable: isWhole, needsReset: !isBroken(final) && !isPositive(final) };
}

function mailCommandFor(talk: Talk): string | Reply {
  const { message } = talk;
  const { reversePath } = message.envelope;
  if (reversePath !== '' && !isAddress(reversePath)) return replies.senderNoAddress;
  return mailCommand(message, nextHop(talk));
}

/** What is no address is never written into a command. */
function isAddress(path: string): boolean {
  return !isProblem(parseAddress(path));
}

function nextHop({ connection: { capabilities, tls } }: Talk): NextHop {
  return { capabilities, isTrusted: tls !== null && tls.problem === null };
}

/** A refusal in our own words: the message cannot go to this host. */
function refused(reply: Reply): Omit<RecipientAtHost, 'forwardPath'> {
  return { outcome: 'refused', stage: 'capability', reply: recordedReply(reply), reason: reply.text };
}

const noAddress = refused(replies.recipientNoAddress);

type FailedAt = { readonly stage: RecipientAtHost['stage']; readonly answer: Reply | Broken };

/** No recipient got anywhere, and the connection is given up. */
function allFailed(recipients: readonly SentRecipient[], { stage, answer }: FailedAt): Transaction {
  const results = recipients.map(({ forwardPath }) => failed(forwardPath, stage, answer));
  return { results, reusable: false, needsReset: true };
}

/** Recipients that had been accepted when the connection went: the message never followed. */
function unsent(answer: Reply | Broken): (result: RecipientAtHost) => RecipientAtHost {
  return (result) => (isAccepted(result) ? failed(result.forwardPath, 'rcpt', answer) : result);
}

function failed(forwardPath: string, stage: RecipientAtHost['stage'], answer: Reply | Broken): RecipientAtHost {
  return isBroken(answer) ? { ...untried(forwardPath, answer.detail), stage } : resultOf(forwardPath, stage, answer);
}

function untried(forwardPath: string, reason: string): RecipientAtHost {
  return { forwardPath, outcome: 'untried', stage: 'mail', reply: null, reason };
}

function unknown(forwardPath: string, { detail }: Broken): RecipientAtHost {
  const reason = `after the whole message was sent: ${detail}; it may have been delivered`;
  return { forwardPath, outcome: 'unknown', stage: 'message', reply: null, reason };
}

function resultOf(forwardPath: string, stage: RecipientAtHost['stage'], reply: Reply): RecipientAtHost {
  const result = { forwardPath, stage, reply: recordedReply(reply), reason: null };
  if (isPositive(reply)) {
    // A success where none can be (250 to DATA) is a protocol error: later.
    const expected = stage === 'rcpt' || stage === 'message';
    return expected ? { ...result, outcome: 'accepted' } : { ...result, outcome: 'deferred', reason: outOfStep };
  }
  if (reply.code < 400) return { ...result, outcome: 'deferred', reason: outOfStep };
  // RFC 5321 §4.5.3.1.10: 552 to RCPT meant "too many recipients" in old days.
  const isFinal = isPermanent(reply) && !(stage === 'rcpt' && reply.code === 552 && reply.enhanced === '5.5.3');
  return { ...result, outcome: isFinal ? 'refused' : 'deferred' };
}

const outOfStep = 'its answer does not fit what it was asked';

function isAccepted({ outcome }: RecipientAtHost): boolean {
  return outcome === 'accepted';
}
