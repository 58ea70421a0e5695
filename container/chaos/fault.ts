// One fault, ready to be done: how long the client waits, and how the stage ends. Pure; who draws it is draw-fault.ts.
import { replies } from '#mail/smtp/replies.ts';
import { type Reply, replyOf } from '#mail/smtp/reply.ts';
import { usualEnhanced } from '#mail/smtp/usual-enhanced.ts';
import type { ChaosChance, ChaosStage } from '#pipeline/chaos/settings.ts';

/** `pass`: the stage goes on as if nothing had been. `why`: a part of a sentence. */
export type Fault = {
  readonly delaySeconds: number;
  readonly ending:
    | { readonly kind: 'pass' }
    | { readonly kind: 'drop' }
    | { readonly kind: 'reply'; readonly reply: Reply };
  readonly why: string;
};

/** Makes a fault of what the settings or an address say. */
export function makeFault(
  said: Omit<ChaosChance, 'percent'>,
  { stage, why }: { readonly stage: ChaosStage; readonly why: string },
): Fault {
  return { delaySeconds: said.delaySeconds, ending: endingOf(said, stage, why), why };
}

function endingOf(
  { reply: code, enhanced, drop }: Omit<ChaosChance, 'percent'>,
  stage: ChaosStage,
  why: string,
): Fault['ending'] {
  if (drop) return { kind: 'drop' };
  if (code === null) return { kind: 'pass' };
  // The greeting and the answers to EHLO and HELO have no enhanced codes (RFC 2034 §3).
  const hasEnhanced = stage !== 'connect' && stage !== 'helo';
  const parts = {
    code,
    enhanced: hasEnhanced ? (enhanced ?? usualEnhanced(code, { ofRecipient: stage === 'rcpt' })) : null,
    text: `Chaos: refused on purpose, ${why}`,
  };
  return { kind: 'reply', reply: replyOf(parts) ?? replies.platformFault };
}
