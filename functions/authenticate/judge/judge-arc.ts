// What the verifier found of the ARC chain (RFC 8617), in a word and a sentence.

import { cleanText } from '#mail/clean-text.ts';
import { fieldsNamed } from '#mail/header/header-fields.ts';
import type { Authentication } from '#pipeline/contract/jobs.ts';
import type { OpenMessage } from './open-message.ts';
import type { Signatures } from './verify-signatures.ts';

/** The verdict on the ARC chain; `instances` counts the seals seen, a hundred at most. */
export type ArcVerdict = Authentication['arc'];

const maxInstances = 100;

/** Judges the chain; a key that could not be looked up is `temperror`, where RFC 8617 knows only `fail`. */
export function judgeArc({ header: { fields } }: Pick<OpenMessage, 'header'>, signatures: Signatures): ArcVerdict {
  const instances = Math.min(fieldsNamed(fields, 'arc-seal').length, maxInstances);
  const hasArc = fields.some(({ name }) => /^arc-/i.test(name));
  if (!hasArc) return { result: 'none', instances, reason: 'The message has no ARC chain.' };
  if (signatures.outcome === 'unverified') {
    return { result: 'permerror', instances, reason: `Not looked at: ${cleanText(signatures.reason)}` };
  }
  const found = signatures.arc;
  if (found === null || found.status.result === 'none') {
    return { result: 'none', instances, reason: 'The message has no ARC chain.' };
  }
  const signature = found.signature === false ? undefined : found.signature;
  if (found.status.result === 'pass') {
    const sealer = cleanText(signature?.signingDomain ?? 'an unknown party', 255);
    return {
      result: 'pass',
      instances,
      reason: `The ARC chain is whole; ${sealer} sealed it last. It overrides nothing.`,
    };
  }
  const comment = cleanText(found.status.comment ?? '');
  const keyUnknown = signature?.status.result === 'temperror';
  if (keyUnknown || comment === '') {
    return { result: 'temperror', instances, reason: 'A key of the ARC chain could not be looked up.' };
  }
  return { result: 'fail', instances, reason: `The ARC chain is broken: ${comment}` };
}
