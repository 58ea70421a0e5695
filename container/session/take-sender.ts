// MAIL FROM: when it may come, who may send, and the transaction that begins with it (RFC 5321 §4.1.1.2, RFC 6409 §6.1).
import { mayWriteAs } from '#container/intake/submission-rules.ts';
import { limitFor } from '#container/limits/limits.ts';
import { isLocalCapture } from '#container/log-in/local-capture.ts';
import { isDismissed } from '#container/log-in/log-in.ts';
import { formatAddress } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import { envelopeOptionsOf, parseMailParameters } from '#mail/smtp/parameters.ts';
import { replies } from '#mail/smtp/replies.ts';
import type { Reply } from '#mail/smtp/reply.ts';
import type { Config } from '#pipeline/config/config.ts';
import { isAscii, mayUse, readCommand } from './envelope-command.ts';
import type { SessionState, Transaction } from './session-state.ts';
import { type Step, say, sayAndClose } from './step.ts';

/** Begins a transaction, or refuses to. */
export async function takeSender(state: SessionState, argument: string): Promise<Step> {
  if (state.helo === null) return say(replies.heloFirst);
  if (state.transaction !== null) return say(replies.nestedMail);
  if (isDismissed(state, await state.shared.config.latest())) return sayAndClose(replies.userChanged);
  if (state.shared.role !== 'mx' && !isLocalCapture(state)) {
    if (state.tls === null) return say(replies.startTlsFirst);
    if (state.user === null) return say(replies.authRequired);
  }
  if (state.messages >= limitFor(state.config.limits, 'transactionsPerConnection', state.client.peer))
    return sayAndClose(replies.tooManyTransactions);
  const judged = judgeSender(state, argument);
  if ('reply' in judged) return say(judged.reply);
  const tooMany = takeFromRates(state);
  if (tooMany !== null) return say(tooMany);
  state.messages += 1;
  state.transaction = judged.transaction;
  return say(replies.senderOk);
}

/** Counts one more message of the address and of the user; the refusal if there are too many, else null. */
export function takeFromRates({ user, client: { peer }, config: { limits }, shared }: SessionState): Reply | null {
  const { rate, userRate } = shared;
  if (rate.take(peer.group, limitFor(limits, 'messagesPerMinutePerIp', peer)) > 0) return replies.tooManyMessages;
  if (user === null) return null;
  const seconds = userRate.take(user.name, limitFor(limits, 'messagesPerMinutePerUser', peer));
  return seconds > 0 ? replies.tooManyUserMessages(seconds) : null;
}

/** A transaction without recipients. */
export function newTransaction(config: Config, sender: Pick<Transaction, 'reversePath' | 'options'>): Transaction {
  return { config, ...sender, recipients: new Map(), recipientBytes: 0, hasRefused: false, message: null };
}

function judgeSender(
  state: SessionState,
  argument: string,
): { readonly transaction: Transaction } | { readonly reply: Reply } {
  const read = readCommand(argument, 'FROM');
  if (isProblem(read)) return { reply: replies.badSenderSyntax(read.problem) };
  const parameters = parseMailParameters(read.rest, mayUse(state));
  if (isProblem(parameters)) return { reply: parameters.reply };
  if (parameters.requireTls && state.tls === null) return { reply: replies.requireTlsWithoutTls };
  if (!parameters.smtpUtf8 && !isAscii(argument)) return { reply: replies.smtpUtf8Needed };
  const { messageBytes } = state.config.limits;
  if (parameters.size !== null && parameters.size > messageBytes) return { reply: replies.messageTooBig(messageBytes) };
  if (read.path.kind === 'postmaster') return { reply: replies.badSenderSyntax('the address has no domain') };
  if (read.path.kind === 'address' && state.user !== null && !mayWriteAs(state.user.mayFrom, read.path.address)) {
    return { reply: replies.senderNotAllowed };
  }
  const reversePath = read.path.kind === 'null' ? '' : formatAddress(read.path.address);
  return { transaction: newTransaction(state.config, { reversePath, options: envelopeOptionsOf(parameters) }) };
}
