// What the verifier found of each DKIM signature, in the words of RFC 8601 §2.7.1 and in a sentence.
import type { DKIMResult } from 'mailauth';
import { cleanText } from '#mail/clean-text.ts';
import type { SignatureChoice } from '#mail/dkim/choose-signatures.ts';
import { signatureTag } from '#mail/dkim/signature-tag.ts';
import { unsignedTwin } from '#mail/dkim/unsigned-twin.ts';
import type { HeaderField } from '#mail/header/header-fields.ts';
import type { Header } from '#mail/header/read-header.ts';
import type { Authentication } from '#pipeline/contract/jobs.ts';
import type { Signatures } from './verify-signatures.ts';

/** The verdict on one DKIM signature. */
export type DkimVerdict = Authentication['dkim'][number];

type SignedHeader = Pick<Header, 'fields' | 'fieldsEnd'>;

const maxReported = 250;

/** One verdict a signature, top to bottom: those that were looked at, then the others as `policy`. */
export function judgeDkim(
  header: SignedHeader,
  { chosen, others }: SignatureChoice,
  signatures: Signatures,
): readonly DkimVerdict[] {
  const fields = [...chosen, ...others.map(({ field }) => field)];
  if (fields.length === 0) return [unsigned('The message is not signed.')];
  if (signatures.outcome === 'unverified') {
    return fields.slice(0, maxReported).map((field) => ({
      ...named(field),
      result: signatures.result,
      reason: `Not looked at: ${cleanText(signatures.reason)}`,
    }));
  }
  return [
    ...signatures.dkim.filter(({ status }) => status.result !== 'none').map((found) => verdictOf(found, header)),
    ...others
      .slice(0, maxReported)
      .map(({ field, reason }): DkimVerdict => ({ ...named(field), result: 'policy', reason })),
  ];
}

/** The verdict of a message without signatures, or one that is not judged. */
export function unsigned(reason: string): DkimVerdict {
  return { result: 'none', domain: null, selector: null, algorithm: null, reason };
}

function named(field: HeaderField): Pick<DkimVerdict, 'domain' | 'selector' | 'algorithm'> {
  return {
    domain: signatureTag(field, 'd'),
    selector: signatureTag(field, 's'),
    algorithm: signatureTag(field, 'a'),
  };
}

/** The domain is that of the key which was asked for: as its A-label, a name with characters that cannot be seen is no other name. */
function verdictOf(found: DKIMResult, header: SignedHeader): DkimVerdict {
  const domain = orNull(found.status.header?.['d']);
  return {
    domain: domain?.toLowerCase() ?? null,
    selector: orNull(found.selector),
    algorithm: orNull(found.algo),
    ...outcomeOf(found, domain ?? 'the signer', header),
  };
}

function orNull(text: unknown): string | null {
  return typeof text !== 'string' || text === '' ? null : cleanText(text, 255);
}

type Outcome = Pick<DkimVerdict, 'result' | 'reason'>;

function outcomeOf({ status, ...found }: DKIMResult, signer: string, header: SignedHeader): Outcome {
  const comment = cleanText(status.comment ?? '');
  switch (status.result) {
    case 'pass':
      return validOutcome({ status, ...found }, signer, header);
    case 'fail':
      return { result: 'fail', reason: failReason(comment, signer) };
    case 'policy':
      return comment === 'weak algorithm'
        ? {
            result: 'policy',
            reason: `The signature of ${signer} is by SHA-1, which proves nothing any more (RFC 8301).`,
          }
        : {
            result: 'policy',
            reason: `The key of ${signer} is shorter than 1,024 bits and proves nothing (RFC 8301).`,
          };
    case 'temperror':
      return comment.endsWith('EBADNAME')
        ? { result: 'permerror', reason: `The selector and ${signer} make no name that a key could have.` }
        : { result: 'temperror', reason: `The key of ${signer} could not be looked up: ${comment}` };
    default:
      return neutralOutcome(comment, signer, found.rr ?? '');
  }
}

/** A signature that fits, but may fit less than what a reader shows. */
function validOutcome({ status, ...found }: DKIMResult, signer: string, header: SignedHeader): Outcome {
  if (hasLooseLines(header)) {
    const reason = `The signature of ${signer} does not cover the lines of the header that are no fields: a reader may show them.`;
    return { result: 'policy', reason };
  }
  const names = header.fields.map(({ name }) => name);
  const twin = unsignedTwin(names, found.signingHeaders?.keys.split(': ') ?? []);
  if (twin !== null) {
    const reason = `The signature of ${signer} does not cover every ${twin} field: a reader may show another one (RFC 6376 §8.15).`;
    return { result: 'policy', reason };
  }
  if ((status.underSized ?? 0) > 0) {
    const reason = `The signature of ${signer} covers only the first ${found.canonBodyLength} bytes of the body (l=); ${status.underSized} more stand behind them.`;
    return { result: 'policy', reason };
  }
  const test = status.testing === true ? ', with a key that is only a test (t=y)' : '';
  return { result: 'pass', reason: `The signature of ${signer} is valid${test}.` };
}

/** Programs show them as text, on their own or with all behind them. Above the second field is where a mailbox file has its `From `. */
function hasLooseLines({ fields, fieldsEnd }: SignedHeader): boolean {
  return fields.some(
    ({ offset, bytes }, index) => index > 0 && offset + bytes < (fields[index + 1]?.offset ?? fieldsEnd),
  );
}

function failReason(comment: string, signer: string): string {
  return comment === 'body hash did not verify'
    ? `The body was changed after ${signer} signed it (its hash does not match).`
    : `The signature of ${signer} does not fit the header fields it covers: they were changed, or another key made it.`;
}

/** The comments of mailauth for what RFC 6376 §6.1 calls PERMFAIL, all under `neutral`. */
const keyProblems: Readonly<Record<string, string>> = {
  'no key': 'publishes no such key',
  'unknown key version': 'publishes a key of an unknown version',
  'unknown key type': 'publishes a key of an unknown type',
  'invalid public key': 'publishes a key that cannot be read',
  'inappropriate hash algorithm': 'does not allow this hash algorithm with its key',
  'inappropriate key algorithm': 'publishes a key of another algorithm',
  'key not for email': 'publishes this key for something other than mail',
  'domain mismatch': 'does not allow this key for subdomains, or the signature names a foreign identity',
};

function neutralOutcome(comment: string, signer: string, record: string): Outcome {
  if (comment === 'expired') return { result: 'fail', reason: `The signature of ${signer} has expired.` };
  const isRevoked = comment === 'invalid public key' && /(?:^|;)\s*p\s*=\s*(?:;|$)/.test(record);
  const key = isRevoked ? 'has revoked this key (its p= is empty)' : keyProblems[comment];
  if (key !== undefined) return { result: 'permerror', reason: `${signer} ${key}.` };
  if (comment === 'From field not signed') {
    return { result: 'permerror', reason: `The signature of ${signer} does not cover the From field.` };
  }
  return {
    result: 'neutral',
    reason: `The signature of ${signer} cannot be evaluated: ${comment || 'no reason given'}`,
  };
}
