// Which DKIM signatures of a message are looked at: ten at most, and of a big body only as many different hashes as can
// be made in a few seconds (each body canonicalization, hash and l= is one more pass over it).
import { cleanText } from './clean-text.ts';
import type { OpenMessage } from './open-message.ts';
import type { ScannedField } from './scan-header.ts';

/** Signatures looked at; a message with more is not honest (RFC 6376 §8.4 asks for such a limit). */
export const maxSignatures = 10;

const maxHashedBytes = 50_000_000;

/** The signatures that are looked at, and those that are not. */
export type SignatureChoice = {
  /** Top to bottom. */
  readonly looked: readonly ScannedField[];
  /** The others, each with the reason, as a sentence. */
  readonly others: readonly { readonly field: ScannedField; readonly reason: string }[];
};

/** Chooses from the top: the signatures added last, by the hosts nearest to us. */
export function chooseSignatures({ scanned, bytes }: Pick<OpenMessage, 'scanned' | 'bytes'>): SignatureChoice {
  const fields = scanned.fields.filter(({ name }) => name === 'dkim-signature');
  const maxHashes = Math.max(1, Math.floor(maxHashedBytes / Math.max(1, bytes)));
  const hashes = new Set<string>();
  const looked: ScannedField[] = [];
  const others: { field: ScannedField; reason: string }[] = [];
  for (const field of fields) {
    const hash = hashOf(field);
    if (looked.length >= maxSignatures) {
      const reason = `Not looked at: the message has ${fields.length} signatures, and ${maxSignatures} are enough.`;
      others.push({ field, reason });
    } else if (!hashes.has(hash) && hashes.size >= maxHashes) {
      const reason = `Not looked at: a message of ${bytes} bytes is not hashed in more than ${maxHashes} ways.`;
      others.push({ field, reason });
    } else {
      hashes.add(hash);
      looked.push(field);
    }
  }
  return { looked, others };
}

/** The value of a tag of a signature field (RFC 6376 §3.2) as far as it can be read; null where there is none. */
export function signatureTag(field: Pick<ScannedField, 'text'>, tag: 'd' | 's' | 'a' | 'c' | 'l'): string | null {
  const value = new RegExp(`[:;]\\s*${tag}\\s*=([^;]*)`).exec(field.text)?.[1]?.replace(/\s+/g, '');
  return value === undefined || value === '' ? null : cleanText(value, 255);
}

/** What tells one pass over the body from another. */
function hashOf(field: ScannedField): string {
  const canonicalization = signatureTag(field, 'c')?.split('/')[1] ?? 'simple';
  const hash = signatureTag(field, 'a')?.split('-')[1] ?? '';
  return [canonicalization, hash, signatureTag(field, 'l') ?? ''].join(' ').toLowerCase();
}
