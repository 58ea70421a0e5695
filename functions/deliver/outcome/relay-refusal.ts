// What a relay refuses because of us and not because of the message: until an operator has mended it, the mail waits and nobody gets a
// bounce. The words are those of SES, which answers 554 to most of it (SES Developer Guide, "Amazon SES email sending errors"), and those
// in which Postfix, Sendmail and Exchange say that they do not know us.
import type { RecipientAtHost } from '#mail/envelope/recipient.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { HostTry } from '#pipeline/contract/records/delivery.ts';

/** `concerns`: the whole account, or senders and recipients of this message alone. `reason`: what is to be mended, a sentence. */
export type RelayRefusal = { readonly concerns: 'account' | 'message'; readonly reason: string };

/** Why the relay does not send for us, by its reply; null if it says nothing of the kind. */
export function relayRefusal({
  forwardPath,
  reply,
}: Pick<RecipientAtHost, 'forwardPath' | 'reply'>): RelayRefusal | null {
  if (reply === null || reply.code < 500) return null;
  const { text } = reply;
  // RFC 4954 §6.
  if (reply.code === 530) {
    return { concerns: 'account', reason: 'the relay wants a log-in: "user" and "password" of delivery.smarthost' };
  }
  if (/\brelay(?:ing)? (?:access )?denied\b|\bunable to relay\b/i.test(text)) {
    return {
      concerns: 'message',
      reason: 'the relay does not relay for us: it wants a log-in, or to know our address',
    };
  }
  if (/\bsending (?:is )?(?:paused|suspended|disabled)\b/i.test(text)) {
    return { concerns: 'account', reason: "the relay has paused this account's sending" };
  }
  if (/\baccess denied\b.*\bnot authorized to perform\b/i.test(text)) {
    return { concerns: 'message', reason: "the relay's policy for our log-in does not let it send this" };
  }
  const unverified = /\bemail address is not verified\b(.*)/i.exec(text);
  if (unverified === null) return null;
  // It lists those that failed, authors and recipients alike.
  const isRecipient = unverified[1]?.toLowerCase().includes(forwardPath.toLowerCase()) === true;
  const reason = isRecipient
    ? 'the relay has our account in its sandbox, and sends to verified addresses alone'
    : "the relay sends only for domains that are verified in our account, and the author's is not (or the account is in its sandbox)";
  return { concerns: 'message', reason };
}

/** An answer of the smarthost that is our fault is no answer to the message: it is put off. Any other stays as it is. */
export function withoutRelayRefusal({ delivery }: Config, result: RecipientAtHost): RecipientAtHost {
  if (delivery.mode !== 'smarthost' || result.outcome !== 'refused') return result;
  const refusal = relayRefusal(result);
  return refusal === null ? result : { ...result, outcome: 'deferred', reason: refusal.reason };
}

/** Whether the relay did not send for us: it refused the log-in, or a message for a reason that is ours. */
export function refusesUs({ stage, recipients }: HostTry): boolean {
  return stage === 'login' || recipients.some(isRelayRefusal);
}

/** Whether a result is such an answer. */
export function isRelayRefusal(result: RecipientAtHost): boolean {
  return result.outcome === 'deferred' && relayRefusal(result) !== null;
}
