// What becomes of a judged message for the recipients of one domain: pure policy, no look-ups.
import type { DomainConfig } from '#pipeline/config/config.ts';
import type { Authentication, Disposition } from '#pipeline/contract/jobs.ts';

/**
 * Quarantines what failed DMARC if the author's domain asks for it (`quarantine` or `reject`) and the recipient's domain
 * has not said otherwise. If the DNS did not say who vouches for the author even at the last judgement, nobody does. We
 * never refuse here: the message was acknowledged.
 */
export function decideDisposition(
  { dmarc, arc }: Pick<Authentication, 'dmarc' | 'arc'>,
  onDmarcFail: DomainConfig['onDmarcFail'],
): Disposition {
  const asked = dmarc.policy === 'quarantine' || dmarc.policy === 'reject' ? dmarc.policy : null;
  if (dmarc.result === 'pass' || asked === null) return { action: 'accept', reason: dmarc.reason };
  const sealed = arc.result === 'pass' ? ' A passing ARC chain does not override that.' : '';
  const outcome = dmarc.result === 'temperror' ? 'DMARC could not be checked' : 'DMARC failed';
  const policy = `${outcome} (p=${asked}): ${dmarc.reason}${sealed}`;
  if (onDmarcFail === 'quarantine') return { action: 'quarantine', reason: policy };
  return { action: 'accept', reason: `${policy} The recipient's domain accepts such mail (onDmarcFail).` };
}

/**
 * Whether a look-up that failed could still change the outcome, as a sentence; null where it could not. A message that
 * passes DMARC is not kept waiting for its other identities.
 */
export function whyJudgeAgain({ spf, dkim, dmarc }: Pick<Authentication, 'spf' | 'dkim' | 'dmarc'>): string | null {
  if (dmarc.result === 'pass') return null;
  const unsure = [spf, ...dkim, dmarc].find(({ result }) => result === 'temperror');
  return unsure === undefined ? null : unsure.reason;
}
