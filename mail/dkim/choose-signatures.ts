// Which DKIM signatures of a message are verified: ten at most, and of a large body only as many different hashes as can be
// made in a few seconds (each body canonicalization, hash and l= is one more pass over it).
import { fieldsNamed, type HeaderField } from '#mail/header/header-fields.ts';
import { signatureTag } from './signature-tag.ts';

/** Signatures that are verified of one message (RFC 6376 §8.4 asks for such a limit). */
export const maxSignatures = 10;

const maxHashedBytes = 50_000_000;

/** The signatures that are verified, and those that are not. */
export type SignatureChoice = {
  /** Top to bottom. */
  readonly chosen: readonly HeaderField[];
  /** The others, each with the reason, as a sentence. */
  readonly others: readonly { readonly field: HeaderField; readonly reason: string }[];
};

/** Chooses from the top: the signatures added last, by the hosts nearest to us. `bytes`: the length of the whole message. */
export function chooseSignatures(fields: readonly HeaderField[], bytes: number): SignatureChoice {
  const signatures = fieldsNamed(fields, 'dkim-signature');
  const maxHashes = Math.max(1, Math.floor(maxHashedBytes / Math.max(1, bytes)));
  const hashes = new Set<string>();
  const chosen: HeaderField[] = [];
  const others: { field: HeaderField; reason: string }[] = [];
  for (const field of signatures) {
    const hash = hashOf(field);
    if (chosen.length >= maxSignatures) {
      const reason = `Not looked at: the message has ${signatures.length} signatures, and ${maxSignatures} are enough.`;
      others.push({ field, reason });
    } else if (!hashes.has(hash) && hashes.size >= maxHashes) {
      const reason = `Not looked at: a message of ${bytes} bytes is not hashed in more than ${maxHashes} ways.`;
      others.push({ field, reason });
    } else {
      hashes.add(hash);
      chosen.push(field);
    }
  }
  return { chosen, others };
}

/** What tells one pass over the body from another. */
function hashOf(field: HeaderField): string {
  const canonicalization = signatureTag(field, 'c')?.split('/')[1] ?? 'simple';
  const hash = signatureTag(field, 'a')?.split('-')[1] ?? '';
  return [canonicalization, hash, signatureTag(field, 'l') ?? ''].join(' ').toLowerCase();
}
