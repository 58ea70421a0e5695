// One message over an open connection: MAIL, RCPT, DATA, and what came of it for each recipient (RFC 5321 §4.1.1),
// with PIPELINING (RFC 2920), SIZE (1870), 8BITMIME (6152), SMTPUTF8 (6531), DSN (3461), REQUIRETLS (8689), LIMITS (9422).
// The one thing never guessed: once the final dot is out and no reply came, the outcome is `unknown`, not `untried`.
import type { OutgoingMessage } from '#functions/deliver/message/outgoing-message.ts';
import { parseAddress } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import { isPermanent, isPositive, reply as makeReply, type Reply } from '#mail/smtp/reply.ts';
import { encodeOriginalRecipient, encodeXtext } from '#mail/smtp/xtext.ts';
import { type SmtpConnection, statedLimit } from './open-connection.ts';
import { type Broken, isBroken } from './reply-reader.ts';
import { sendContent } from './send-content.ts';
import { type AttemptTime, finalReplyLimitMs, type Timeouts } from './timeouts.ts';

/** One recipient as RCPT takes it. */
export type OutgoingRecipient = {
  readonly forwardPath: string;
  readonly notify: readonly string[] | null;
  readonly orcpt: string | null;
};

/**
 * What became of one recipient here. `accepted`: the peer took the message for it; `refused`: 5xx; `deferred`: 4xx;
 * `unknown`: the connection broke after the final dot, the peer may have taken it; `untried`: broke before, nothing sent.
 */
export type RecipientResult = {
  readonly forwardPath: string;
  readonly outcome: 'accepted' | 'refused' | 'deferred' | 'unknown' | 'untried';
  /** Which command the answer was to; `capability`: we found the peer unable, and `reply` is in our words. */
  readonly stage: 'mail' | 'rcpt' | 'data' | 'message' | 'capability';
  readonly reply: Reply | null;
  readonly reason: string | null;
};

/**
 * `reusable`: the connection may carry another message; `needsReset`: after RSET. `relaysDsn`: the peer took DSN parameters.
 * `transactions`: how many MAIL commands it took.
 */
export type SendResult = {
  readonly results: readonly RecipientResult[];
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
export async function sendMessage(talk: Talk, recipients: readonly OutgoingRecipient[]): Promise<SendResult> {
  const relaysDsn = talk.connection.capabilities.has('DSN');
  const unable = inability(talk);
  if (unable !== null) {
    const results = recipients.map(({ forwardPath }) => ({ ...unable, forwardPath }));
    return { results, reusable: true, needsReset: talk.reset, relaysDsn, transactions: 0 };
  }
  const limit = Math.min(rcptsPerTransaction, statedLimit(talk.connection, 'RCPTMAX'));
  const results = recipients.filter(isUnsafe).map(({ forwardPath }) => unsafe(forwardPath));
  let left = recipients.filter((recipient) => !isUnsafe(recipient));
  let state = { reusable: true, needsReset: talk.reset };
  let transactions = 0;
  const isTime = (): boolean => transactions === 0 || performance.now() < talk.time.beginBy;
  while (left.length > 0 && state.reusable && transactions < talk.mailsLeft && isTime()) {
    transactions += 1;
    const now = left.slice(0, limit);
    const begun = transact({ ...talk, reset: state.needsReset }, now);
    const transaction = await begun.catch((thrown: unknown) => cutShort(now, results, thrown));
    state = transaction;
    const again = tooMany(transaction.results);
    results.push(...transaction.results.filter(({ forwardPath }) => !again.has(forwardPath)));
    left = [...now.filter(({ forwardPath }) => again.has(forwardPath)), ...left.slice(limit)];
  }
  results.push(...left.map(({ forwardPath }) => untried(forwardPath, 'the connection was over before its turn')));
  return { results, reusable: state.reusable, needsReset: state.needsReset, relaysDsn, transactions };
}

/** What the host took before the message could not be read to its end stays true; throws where it took nothing. */
function cutShort(now: readonly OutgoingRecipient[], before: readonly RecipientResult[], thrown: unknown): Transaction {
  if (!before.some(isAccepted)) throw thrown;
  const reason = `a fault of this service: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
  return { results: now.map(({ forwardPath }) => untried(forwardPath, reason)), reusable: false, needsReset: true };
}

/** Those refused only because there were too many in one transaction, where others were taken (RFC 5321 §4.5.3.1.10). */
function tooMany(results: readonly RecipientResult[]): ReadonlySet<string> {
  if (!results.some(({ outcome }) => outcome === 'accepted')) return new Set();
  const refused = results.filter(
    ({ stage, reply }) =>
      stage === 'rcpt' && (reply?.enhanced === '4.5.3' || (reply?.code === 452 && reply.enhanced === null)),
  );
  return new Set(refused.map(({ forwardPath }) => forwardPath));
}

type Transaction = {
  readonly results: readonly RecipientResult[];
  readonly reusable: boolean;
  readonly needsReset: boolean;
};

async function transact(talk: Talk, recipients: readonly OutgoingRecipient[]): Promise<Transaction> {
  const { socket, capabilities } = talk.connection;
  const commands = [mailCommand(talk), ...recipients.map((recipient) => rcptCommand(talk, recipient))];
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
  const answers: RecipientResult[] = [];
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

function dataRefused(answers: readonly RecipientResult[], data: Reply | Broken): Transaction {
  const results = answers.map((answer) => (isAccepted(answer) ? failed(answer.forwardPath, 'data', data) : answer));
  return { results, reusable: !isBroken(data) && data.code !== 421 && data.code >= 400, needsReset: true };
}

async function sendAfterData(talk: Talk, answers: readonly RecipientResult[]): Promise<Transaction> {
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

/** What this peer cannot do and the message needs, as a result in our own words; null where all is well. */
function inability({ connection, message }: Talk): Omit<RecipientResult, 'forwardPath'> | null {
  const { capabilities, tls } = connection;
  if (message.reversePath !== '' && isProblem(parseAddress(message.reversePath))) {
    return refuse('5.1.7', 'The sender is not an address');
  }
  if (message.requireTls && (tls === null || tls.problem !== null || !capabilities.has('REQUIRETLS'))) {
    return refuse('5.7.30', 'The sender requires TLS all the way (REQUIRETLS), and this host cannot promise that');
  }
  if (message.needsUtf8 && !capabilities.has('SMTPUTF8')) {
    return refuse('5.6.7', 'This host does not take international addresses or header fields (SMTPUTF8)');
  }
  if (message.bodyType === 'binarymime') {
    return refuse('5.6.1', 'The message is binary (BINARYMIME) and cannot be sent on as it is');
  }
  const sizeLimit = Number(capabilities.get('SIZE') ?? '0');
  if (sizeLimit > 0 && message.bytes > sizeLimit) {
    return refuse('5.3.4', `The message has ${message.bytes} bytes and this host takes at most ${sizeLimit}`);
  }
  return null;
}

/** A refusal in our own words. */
function refuse(enhanced: `5.${number}.${number}`, text: string): Omit<RecipientResult, 'forwardPath'> {
  const reply = makeReply(550, enhanced, text);
  return { outcome: 'refused', stage: 'capability', reply, reason: text };
}

/** What is no address is never written into a command. */
function isUnsafe({ forwardPath }: OutgoingRecipient): boolean {
  return isProblem(parseAddress(forwardPath));
}

function unsafe(forwardPath: string): RecipientResult {
  return { ...refuse('5.1.3', 'The recipient is not an address'), forwardPath };
}

function mailCommand({ connection: { capabilities }, message }: Talk): string {
  const { dsn } = message;
  const parameters = [
    capabilities.has('SIZE') ? `SIZE=${message.bytes}` : null,
    // Without 8BITMIME at the peer 8-bit bytes go as they are: nobody re-encodes any more, and signatures would break.
    message.bodyType === '8bitmime' && capabilities.has('8BITMIME') ? 'BODY=8BITMIME' : null,
    message.needsUtf8 ? 'SMTPUTF8' : null,
    message.requireTls ? 'REQUIRETLS' : null,
    dsn.ret !== null && capabilities.has('DSN') ? `RET=${dsn.ret.toUpperCase()}` : null,
    dsn.envid !== null && capabilities.has('DSN') ? `ENVID=${encodeXtext(dsn.envid)}` : null,
  ];
  return [`MAIL FROM:<${message.reversePath}>`, ...parameters.filter((parameter) => parameter !== null)].join(' ');
}

function rcptCommand(
  { connection: { capabilities } }: Talk,
  { forwardPath, notify, orcpt }: OutgoingRecipient,
): string {
  const speaksDsn = capabilities.has('DSN');
  const parameters = [
    speaksDsn && notify !== null ? `NOTIFY=${notify.join(',').toUpperCase()}` : null,
    speaksDsn && orcpt !== null ? `ORCPT=${encodeOriginalRecipient(orcpt)}` : null,
  ];
  return [`RCPT TO:<${forwardPath}>`, ...parameters.filter((parameter) => parameter !== null)].join(' ');
}

type FailedAt = { readonly stage: RecipientResult['stage']; readonly answer: Reply | Broken };

/** No recipient got anywhere, and the connection is given up. */
function allFailed(recipients: readonly OutgoingRecipient[], { stage, answer }: FailedAt): Transaction {
  const results = recipients.map(({ forwardPath }) => failed(forwardPath, stage, answer));
  return { results, reusable: false, needsReset: true };
}

/** Recipients that had been accepted when the connection went: the message never followed. */
function unsent(answer: Reply | Broken): (result: RecipientResult) => RecipientResult {
  return (result) => (isAccepted(result) ? failed(result.forwardPath, 'rcpt', answer) : result);
}

function failed(forwardPath: string, stage: RecipientResult['stage'], answer: Reply | Broken): RecipientResult {
  return isBroken(answer) ? { ...untried(forwardPath, answer.detail), stage } : resultOf(forwardPath, stage, answer);
}

function untried(forwardPath: string, reason: string): RecipientResult {
  return { forwardPath, outcome: 'untried', stage: 'mail', reply: null, reason };
}

function unknown(forwardPath: string, { detail }: Broken): RecipientResult {
  const reason = `after the whole message was sent: ${detail}; it may have been delivered`;
  return { forwardPath, outcome: 'unknown', stage: 'message', reply: null, reason };
}

function resultOf(forwardPath: string, stage: RecipientResult['stage'], reply: Reply): RecipientResult {
  const result = { forwardPath, stage, reply, reason: null };
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

function isAccepted({ outcome }: RecipientResult): boolean {
  return outcome === 'accepted';
}
