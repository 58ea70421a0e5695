// RCPT TO: when it may come, who is refused, and where mail for the others goes (RFC 5321 §4.1.1.3).
import { limitFor } from '#container/limits/limits.ts';
import { type EmailAddress, formatAddress, parseAddress } from '#mail/address/address.ts';
import { forwardPathProblem, type Path, postmasterAddress } from '#mail/address/path.ts';
import { srsReverse } from '#mail/address/srs.ts';
import type { Route } from '#mail/envelope/recipient.ts';
import { refusalReply, routeRecipient } from '#mail/envelope/route-recipient.ts';
import { isProblem } from '#mail/problem.ts';
import { parseRcptParameters } from '#mail/smtp/parameters.ts';
import { replies } from '#mail/smtp/replies.ts';
import type { Reply } from '#mail/smtp/reply.ts';
import type { Suppression } from '#pipeline/contract/records/suppression-lookup.ts';
import { isAscii, mayUse, readCommand } from './envelope-command.ts';
import type { SessionState, Transaction } from './session-state.ts';
import { type Step, say, sayAndClose } from './step.ts';

/** All recipients go into one queue body, and SQS takes 1 MiB: with long ORCPTs a thousand of them may not fit. */
const maxRecipientBytes = 786_432;
const minRefusedRecipients = 20; // or as many as a message may have: more of them are guesses at names

/** Adds a recipient to the transaction, or refuses it; after too many refusals the session ends. */
export async function takeRecipient(state: SessionState, argument: string): Promise<Step> {
  const { transaction, shared, config } = state;
  if (transaction === null) return say(replies.mailFirst);
  if (transaction.message !== null) return say(replies.chunkOutOfOrder);
  const reply = await judgeRecipient(state, transaction, argument);
  if (reply.code < 400) return say(reply);
  transaction.hasRefused = true;
  shared.deps.metrics.count('refusals', { reason: `${reply.code} ${reply.enhanced}` });
  if (reply.code < 500) return say(reply);
  state.refusedRecipients += 1;
  const enough = Math.max(minRefusedRecipients, config.limits.recipients);
  return state.refusedRecipients > enough ? sayAndClose(replies.tooManyErrors) : say(reply);
}

async function judgeRecipient(state: SessionState, transaction: Transaction, argument: string): Promise<Reply> {
  const read = readCommand(argument, 'TO');
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
): Promise<{ readonly routes: readonly Route[]; readonly bouncedBefore: boolean } | { readonly reply: Reply }> {
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
  // Everybody who gets forwarded mail sees such an address: it must not let everybody relay through us for three weeks.
  if (isReturnAddress && role === 'mx' && reversePath !== '') return { reply: replies.bouncesOnly };
  const found = await suppression(state, { address, routes: routing.routes, reversePath });
  if (found.outcome === 'suppressed') {
    const isRelay = routing.routes.every(({ kind }) => kind === 'relay');
    return { reply: isRelay ? replies.suppressedRecipient(found.reason) : replies.suppressedAlias };
  }
  return { routes: routing.routes, bouncedBefore: found.outcome === 'doubted' };
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
