// One SMTP session from greeting to QUIT: which command may come when (RFC 5321 §4.1.4), and what it is answered.
// MAIL is take-sender.ts, RCPT take-recipient.ts, the message receive-message.ts, AUTH log-in.ts, bytes smtp-protocol.ts.
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from '#container/intake/receive-message.ts';
import { limitFor } from '#container/limits/limits.ts';
import { pause } from '#container/log-in/authenticate-user.ts';
import { isLocalCapture, mechanismsFor, offersStartTls } from '#container/log-in/local-capture.ts';
import { isDismissed, offersLogIn, takeAuth, takesPasswords } from '#container/log-in/log-in.ts';
import { parseDomain } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import { offeredKeywords } from '#mail/smtp/parameters.ts';
import { replies } from '#mail/smtp/replies.ts';
import type { Reply } from '#mail/smtp/reply.ts';
import { offerFacts, splitCommand } from './envelope-command.ts';
import { openMessage } from './open-message.ts';
import { newSession, type SessionShared, type SessionState } from './session-state.ts';
import { type Client, type Conversation, type MessageReceiver, type Step, say, sayAndClose } from './step.ts';
import { takeRecipient } from './take-recipient.ts';
import { takeSender } from './take-sender.ts';

const maxErrors = 10; // unknown or unreadable commands in one session
const maxHeloChars = 255; // RFC 5321 §4.5.3.1.2
const clientNameWaitMs = 2_000;

export function startConversation(shared: SessionShared, client: Client): Conversation {
  const state = newSession(shared, client);
  const name = lookUpClientName(state);
  return {
    greet: () => say(replies.greeting(state.config.hostname)),
    command: (line) => command(state, name, line),
    overlongLine: (isAnswer) => commandError(state, isAnswer ? replies.authLineTooLong : replies.lineTooLong),
    secured(tls) {
      state.tls = tls;
      state.helo = null;
      state.isEsmtp = false;
      state.user = null;
      dropTransaction(state);
    },
    closed: () => dropTransaction(state),
    maxLineBytes: () => shared.config.current().limits.commandBytes,
    pace: () => shared.config.current().limits,
    dismissal: () => (isDismissed(state, shared.config.current()) ? replies.userChanged : null),
  };
}

/** Looked up when the client connects and needed at DATA; null if it takes too long. This machine is not looked up. */
function lookUpClientName(state: SessionState): Promise<void> {
  const { deps } = state.shared;
  if (state.client.peer.isLoopback) return Promise.resolve();
  const deadline = pause(clientNameWaitMs) ?? Promise.resolve();
  const asked = deps.reverseName(state.client.peer.ip).then(
    (name) => {
      state.clientName = name;
    },
    (error: unknown) => deps.log.warn('reverse-name-failed', { error: String(error) }),
  );
  return Promise.race([asked, deadline]);
}

function command(state: SessionState, name: Promise<void>, line: Buffer): Step | Promise<Step> {
  const text = line.toString('utf8');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they have no place in a command.
  if (/[\0-\x08\x0a-\x1f\x7f]/.test(text) || !isUtf8(line)) return commandError(state, replies.unknownCommand);
  if (/^[A-Z]+ \S+ HTTP\/\d/i.test(text)) return sayAndClose(replies.tooManyErrors);
  const { verb, argument } = splitCommand(text);
  switch (verb) {
    case 'EHLO':
    case 'HELO':
      return greetClient(state, verb, argument);
    case 'MAIL':
      return takeSender(state, argument);
    case 'RCPT':
      return takeRecipient(state, argument);
    case 'DATA':
      return afterName(state, name, () => data(state, argument));
    case 'BDAT':
      return afterName(state, name, () => bdat(state, argument));
    case 'RSET':
      if (argument !== '') return commandError(state, replies.syntaxError('RSET'));
      dropTransaction(state);
      return say(replies.reset);
    case 'NOOP':
      return say(replies.noop);
    case 'QUIT':
      return sayAndClose(replies.bye);
    case 'STARTTLS':
      return startTls(state, argument);
    case 'AUTH':
      return offersLogIn(state) ? takeAuth(state, argument) : commandError(state, replies.authNotOffered);
    case 'VRFY':
      return argument === '' ? commandError(state, replies.syntaxError('VRFY address')) : say(replies.cannotVerify);
    case 'EXPN':
      return say(replies.expandRefused);
    case 'HELP':
      return say(replies.help);
    default:
      return commandError(state, replies.unknownCommand);
  }
}

/** The reply to a command that cannot be understood; after some of them the session ends. */
function commandError(state: SessionState, reply: Reply): Step {
  state.errors += 1;
  return state.errors >= maxErrors ? sayAndClose(replies.tooManyErrors) : say(reply);
}

function greetClient(state: SessionState, verb: 'EHLO' | 'HELO', argument: string): Step {
  if (!/^[!-~]+$/.test(argument) || argument.length > maxHeloChars) return commandError(state, replies.badHelo);
  const domain = parseDomain(argument);
  dropTransaction(state);
  state.helo = isProblem(domain) ? argument : domain;
  state.isEsmtp = verb === 'EHLO';
  const { hostname } = state.config;
  return say(verb === 'HELO' ? replies.helo(hostname) : replies.ehlo(hostname, extensionsFor(state)));
}

function extensionsFor(state: SessionState): string[] {
  const { config, tls, user, client } = state;
  const { limits } = config;
  const perConnection = limitFor(limits, 'transactionsPerConnection', client.peer);
  const mailMax = Number.isFinite(perConnection) ? ` MAILMAX=${perConnection}` : '';
  const extensions = [
    'PIPELINING',
    'ENHANCEDSTATUSCODES',
    'CHUNKING',
    `LIMITS RCPTMAX=${limits.recipients}${mailMax}`, // RFC 9422
    ...offeredKeywords(offerFacts(state)),
    ...(tls === null && offersStartTls(state) ? ['STARTTLS'] : []),
    ...(user === null && offersLogIn(state) && takesPasswords(state) ? [`AUTH ${mechanismsFor(state).join(' ')}`] : []),
  ];
  return extensions.toSorted((one, other) => placeOf(one) - placeOf(other));
}

/** Extensions are offered in the order that other servers offer them in; the rest as they come. */
const usualOrder = 'PIPELINING SIZE 8BITMIME SMTPUTF8 ENHANCEDSTATUSCODES DSN CHUNKING BINARYMIME'.split(' ');

function placeOf(extension: string): number {
  const place = usualOrder.indexOf(extension.split(' ')[0] ?? '');
  return place < 0 ? usualOrder.length : place;
}

function afterName(state: SessionState, name: Promise<void>, work: () => Step): Step | Promise<Step> {
  return state.clientName !== null || state.client.peer.isLoopback ? work() : name.then(work);
}

function data(state: SessionState, argument: string): Step {
  const { transaction } = state;
  if (argument !== '') return commandError(state, replies.syntaxError('DATA'));
  if (transaction === null) return say(state.helo === null ? replies.heloFirst : replies.mailFirst);
  if (transaction.message !== null) return say(replies.chunkOutOfOrder);
  if (transaction.recipients.size === 0)
    return say(transaction.hasRefused ? replies.noValidRecipients : replies.rcptFirst);
  if (transaction.options.bodyType === 'binarymime') return say(replies.binaryNeedsChunks);
  const message = openMessage(state, mayFromOf(state));
  transaction.message = message;
  return { step: 'data', reply: replies.startData, receiver: wholeMessage(state, message) };
}

/** RFC 3030 §2. The octets behind a BDAT come even if it is refused: then they are thrown away. */
function bdat(state: SessionState, argument: string): Step {
  const match = /^(\d{1,15})( +LAST)?$/i.exec(argument);
  // How many octets follow is unknown, so nothing after this can be recognised as a command.
  if (match === null) return sayAndClose(replies.syntaxError('BDAT length [LAST]'));
  const bytes = Number(match[1]);
  const refusal = chunkRefusal(state);
  if (refusal !== null) {
    if (bytes > state.config.limits.messageBytes) return sayAndClose(refusal);
    return { step: 'chunk', bytes, receiver: { write: () => undefined, end: () => say(refusal) } };
  }
  const { transaction } = state;
  if (transaction === null) return say(replies.mailFirst);
  transaction.message ??= openMessage(state, mayFromOf(state));
  const { message } = transaction;
  const isLast = match[2] !== undefined;
  const receiver = isLast
    ? wholeMessage(state, message)
    : { write: message.write, end: () => say(message.refusal() ?? replies.chunkReceived(bytes)) };
  return { step: 'chunk', bytes, receiver };
}

function chunkRefusal({ transaction, helo }: SessionState): Reply | null {
  if (transaction === null) return helo === null ? replies.heloFirst : replies.mailFirst;
  if (transaction.recipients.size === 0) return transaction.hasRefused ? replies.noValidRecipients : replies.rcptFirst;
  return null;
}

/** What the header of a message may name as its author; null: it is not judged here. */
function mayFromOf(state: SessionState): readonly string[] | null {
  if (state.shared.role === 'mx') return null;
  return state.user?.mayFrom ?? (isLocalCapture(state) ? ['*@*'] : []);
}

/** The transaction ends with the message, accepted or not. */
function wholeMessage(state: SessionState, message: IncomingMessage): MessageReceiver {
  return {
    id: message.id,
    write: message.write,
    end: async () => {
      try {
        if (isDismissed(state, await state.shared.config.latest())) return sayAndClose(replies.userChanged);
        return say(await message.finish());
      } finally {
        dropTransaction(state); // without effect on a message that is finished
      }
    },
  };
}

function startTls(state: SessionState, argument: string): Step {
  if (argument !== '') return commandError(state, replies.syntaxError('STARTTLS'));
  if (state.tls !== null) return say(replies.tlsAlreadyActive);
  if (!offersStartTls(state)) return commandError(state, replies.startTlsNotOffered);
  return { step: 'startTls', reply: replies.startTlsReady };
}

function dropTransaction(state: SessionState): void {
  state.transaction?.message?.abort();
  state.transaction = null;
}
