// What an attempt showed of a destination as a whole, whatever became of the message. Pure.
// A host that cannot be reached, breaks off, or says 421, or refuses for now before MAIL (450, 451, 454 …) fails at once. One that
// talks and puts the message off may mean itself or only this message: greylisting means one sender and one recipient.

import { isRelayRefusal, relayRefusal } from '#functions/deliver/outcome/relay-refusal.ts';
import type { RecipientAtHost } from '#mail/envelope/recipient.ts';
import { isTemporary, shownReply } from '#mail/smtp/reply.ts';
import type { HostTry } from '#pipeline/contract/records/delivery.ts';

/** What an attempt showed of a destination; `refused`: it answered, and put off all it was asked for, because of what. */
export type DestinationVerdict =
  | { readonly outcome: 'answered' | 'nothing' }
  | { readonly outcome: 'failed'; readonly kind?: 'refuses-us'; readonly reason: string }
  | { readonly outcome: 'refused'; readonly because: 'host' | 'mailbox' | 'unclear'; readonly reason: string };

type Sign = Exclude<DestinationVerdict, { outcome: 'nothing' }>;

/** From all that hosts of one destination said in one attempt: it failed if all of them did. */
export function judgeDestination(tries: readonly HostTry[]): DestinationVerdict {
  const signs = tries.map(signOf);
  const last = signs.at(-1);
  if (last === undefined) return { outcome: 'nothing' };
  if (signs.some(({ outcome }) => outcome === 'answered')) return { outcome: 'answered' };
  return signs.find(({ outcome }) => outcome === 'refused') ?? last;
}

function signOf(tried: HostTry): Sign {
  return tried.outcome === 'failed' ? signOfFailure(tried) : signOfTalk(tried);
}

function signOfFailure({ host, stage, reason, reply }: HostTry): Sign {
  // A password that is refused for each message in turn gets the account locked.
  if (stage === 'login')
    return { outcome: 'failed', kind: 'refuses-us', reason: `${host}: ${reason ?? 'the login failed'}` };
  const isForNow = reply !== null && isTemporary(reply);
  // TLS that is not as it must be, or a 5xx, is the answer of a host that works.
  if (!isForNow && (reply !== null || stage === 'tls')) return { outcome: 'answered' };
  return { outcome: 'failed', reason: `${host}: ${reason ?? 'no answer'}` };
}

function signOfTalk({ host, recipients }: HostTry): Sign {
  const [first] = recipients;
  if (first === undefined) return { outcome: 'answered' };
  const reason = `${host}: ${first.reply === null ? first.reason : shownReply(first.reply)}`;
  if (recipients.every(isTrouble)) return { outcome: 'failed', reason };
  if (recipients.every(isRelayRefusal)) {
    const isAccount = relayRefusal(first)?.concerns === 'account';
    return isAccount ? { outcome: 'failed', kind: 'refuses-us', reason } : { outcome: 'answered' };
  }
  const isPutOff = recipients.every((result) => isTrouble(result) || result.outcome === 'deferred');
  if (!isPutOff) return { outcome: 'answered' };
  return { outcome: 'refused', because: causeOf(recipients), reason };
}

/** 421, or a connection that broke. */
function isTrouble({ outcome, reply }: RecipientAtHost): boolean {
  return reply?.code === 421 || outcome === 'untried' || outcome === 'unknown';
}

function causeOf(recipients: readonly RecipientAtHost[]): Extract<Sign, { outcome: 'refused' }>['because'] {
  if (recipients.every(isOfHost)) return 'host';
  return recipients.every(isOfMailbox) ? 'mailbox' : 'unclear';
}

/** RFC 3463 §3.2, §3.3: the address or its mailbox (disabled, full, too small). Greylisting says 4.2.0, and names no reason. */
function isOfMailbox({ reply }: RecipientAtHost): boolean {
  return /^4\.(?:1\.|2\.[1-4]$)/.test(reply?.enhanced ?? '');
}

/**
 * Whether a temporary refusal is of the host's making (RFC 3463 §3.4, §3.5: 4.3.x, 4.4.x; or no code of its own): for the whole
 * message, and not because of an address (4.1.x, 4.2.x). Policy (4.7.x) at MAIL is about us; later it is mostly greylisting.
 */
function isOfHost({ stage, reply }: RecipientAtHost): boolean {
  const subject = /^4\.(\d+)\./.exec(reply?.enhanced ?? '')?.[1] ?? null;
  if (stage === 'rcpt') return subject === '3';
  if (subject === '1' || subject === '2') return false;
  return stage === 'mail' || subject !== '7';
}
