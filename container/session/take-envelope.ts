// MAIL FROM and RCPT TO: read, judged, and added to the transaction (RFC 5321 §4.1.1.2, §4.1.1.3, RFC 6409 §6.1).

import { mayWriteAs } from '#container/intake/submission-rules.ts';
import { limitFor } from '#container/limits/limits.ts';
import { offersLogIn } from '#container/log-in/log-in.ts';
import { type EmailAddress, formatAddress, parseAddress } from '#mail/address/address.ts';
import { forwardPathProblem, type Path, postmasterAddress, readPath } from '#mail/address/path.ts';
import { srsReverse } from '#mail/address/srs.ts';
import type { Route } from '#mail/envelope/recipient.ts';
import { refusalReply, routeRecipient } from '#mail/envelope/route-recipient.ts';
import { isProblem } from '#mail/problem.ts';
import {
  envelopeOptionsOf,
  offeredParameters,
  parseMailParameters,
  parseRcptParameters,
} from '#mail/smtp/parameters.ts';
import { replies } from '#mail/smtp/replies.ts';
import type { Reply } from '#mail/smtp/reply.ts';
import type { Suppression } from '#pipeline/contract/records/suppression-lookup.ts';
import type { SessionState, Transaction } from './session-state.ts';

/** All recipients go into one queue body, and SQS takes 1 MiB: with long ORCPTs a thousand of them may not fit. */
const maxRecipientBytes = 786_432;

type Refusal = { readonly reply: Reply };

/** Reads what stands behind MAIL; a transaction to begin with, or the reply that refuses it. */
export function takeSender(state: SessionState, argument: string): { readonly transaction: Transaction } | Refusal {
  const read = readCommand(argument, /^FROM:/i);
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
  return {
    transaction: {
      config: state.config,
      reversePath,
      options: envelopeOptionsOf(parameters),
      recipients: new Map(),
      recipientBytes: 0,
      hasRefused: false,
      message: null,
    },
  };
}

/** What the offers of parameters depend on. */
export function offerFacts(state: SessionState): Parameters<typeof offeredParameters>[0] {
  const { messageBytes } = state.config.limits;
  return { isTls: state.tls !== null, takesLogIn: offersLogIn(state), messageBytes };
}

function mayUse(state: SessionState): readonly string[] {
  return state.isEsmtp ? offeredParameters(offerFacts(state)) : [];
}

/** Reads what stands behind RCPT, finds the way, and adds the recipient to the transaction; or refuses it. */
export async function takeRecipient(state: SessionState, transaction: Transaction, argument: string): Promise<Reply> {
  const reply = await judgeRecipient(state, transaction, argument);
  if (reply.code >= 400) transaction.hasRefused = true;
  return reply;
}

async function judgeRecipient(state: SessionState, transaction: Transaction, argument: string): Promise<Reply> {
  const read = readCommand(argument, /^TO:/i);
  if (isProblem(read)) return replies.badRecipientSyntax(read.problem);
  const parameters = parseRcptParameters(read.rest, mayUse(state));
  if (isProblem(parameters)) return parameters.reply;
  if (!transaction.options.smtpUtf8 && !isAscii(argument)) return replies.smtpUtf8Needed;
  const address = addressOf(read.path, state);
  if (address === null) return replies.nullRecipient;
  const tooLong = forwardPathProblem(address);
  if (tooLong !== null) return replies.badRecipientSyntax(tooLong.problem);
  const forwardPath = formatAddress(address);
  const { recipients } = transaction;
  if (recipients.size >= state.config.limits.recipients && !recipients.has(forwardPath)) {
    return replies.tooManyRecipients(state.config.limits.recipients);
  }
  const routed = await findRoutes(state, address, transaction);
  if ('reply' in routed) return routed.reply;
  const seconds = recipients.has(forwardPath) ? 0 : takeFromUser(state);
  if (seconds > 0) return replies.tooManyUserRecipients(seconds);
  const hint = routed.bouncedBefore ? { bouncedBefore: true as const } : {};
  const added = routed.routes.map((route) => ({ forwardPath, dsn: parameters, route, ...hint }));
  const bytes = Buffer.byteLength(JSON.stringify(added));
  if (transaction.recipientBytes + bytes > maxRecipientBytes) return replies.recipientsDoNotFit;
  transaction.recipientBytes += bytes;
  recipients.set(forwardPath, added);
  return replies.recipientOk;
}

/** Counts one more recipient of the user's; answers how long to wait where there are too many, else 0. */
function takeFromUser({ user, config: { limits }, shared, client }: SessionState): number {
  return user === null
    ? 0
    : shared.recipientRate.take(user.name, limitFor(limits, 'recipientsPerMinutePerUser', client.peer));
}

function addressOf(path: Path, state: SessionState): EmailAddress | null {
  switch (path.kind) {
    case 'null':
      return null;
    case 'postmaster':
      return postmasterAddress(state.config.hostname);
    case 'address':
      return path.address;
  }
}

async function findRoutes(
  state: SessionState,
  address: EmailAddress,
  { reversePath }: Transaction,
): Promise<{ readonly routes: Route[]; readonly bouncedBefore: boolean } | Refusal> {
  const { deps, role } = state.shared;
  const isSrs = /^SRS[01][=+-]/i.test(address.localPart);
  const secret = isSrs ? await deps.srsSecret() : null;
  let isReturnAddress = false;
  const reverse = (secretText: string) => (srsAddress: EmailAddress) => {
    const reversed = srsReverse(srsAddress, secretText, deps.clock());
    isReturnAddress = reversed.outcome === 'address';
    return reversed;
  };
  const routing = routeRecipient(state.config, address, {
    mayRelay: role !== 'mx' && state.user !== null,
    ...(secret === null ? {} : { srs: reverse(secret) }),
  });
  if (routing.outcome === 'refused') return { reply: refusalReply(routing) };
  // Everybody who gets forwarded mail sees such an address: it must not let strangers relay through us for three weeks.
  if (isReturnAddress && role === 'mx' && reversePath !== '') return { reply: replies.bouncesOnly };
  const found = await suppression(state, { address, routes: routing.routes, reversePath });
  if (found.outcome === 'suppressed') {
    const isRelay = routing.routes.every(({ kind }) => kind === 'relay');
    return { reply: isRelay ? replies.suppressedRecipient(found.reason) : replies.suppressedAlias };
  }
  return { routes: [...routing.routes], bouncedBefore: found.outcome === 'doubted' };
}

type Asked = { readonly address: EmailAddress; readonly routes: readonly Route[]; readonly reversePath: string };

/** Whether an address is suppressed: it is if all addresses that it leads to are. */
async function suppression(
  { shared: { deps } }: SessionState,
  { address, routes, reversePath }: Asked,
): Promise<Suppression> {
  let found: Suppression = { outcome: 'written' };
  for (const route of routes) {
    if (route.kind === 'mailbox') return { outcome: 'written' };
    const outside = route.kind === 'relay' ? [address] : route.to.map(parseAddress);
    // What an alias sends on is mail of its own domain (SRS).
    const sender = route.kind === 'relay' || reversePath === '' ? domainOf(reversePath) : address.domain;
    for (const one of outside) {
      found = isProblem(one) ? { outcome: 'written' } : await deps.suppressions(one, sender);
      if (found.outcome !== 'suppressed') return found;
    }
  }
  return found;
}

function domainOf(reversePath: string): string | null {
  const sender = parseAddress(reversePath);
  return isProblem(sender) ? null : sender.domain;
}

/** `FROM:` or `TO:`, a path, and the parameters behind it. */
function readCommand(argument: string, keyword: RegExp): ReturnType<typeof readPath> {
  const match = keyword.exec(argument);
  if (match === null) return { problem: `${keyword.source.slice(1)}<address> is expected` };
  return readPath(argument.slice(match[0].length));
}

function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}
