// The tags of a DKIM-Signature field (RFC 6376 §3.2, §3.5), and of the ARC fields that are written like one (RFC 8617 §4.1).
import { cleanText } from '#mail/clean-text.ts';
import type { HeaderField } from '#mail/header/header-fields.ts';

const maxFieldBytes = 32_768;
const tags = {
  d: tagPattern('d'),
  s: tagPattern('s'),
  a: tagPattern('a'),
  c: tagPattern('c'),
  l: tagPattern('l'),
} as const;

/** The value of a tag without blanks, 255 characters of it at most; null if there is no such tag. */
export function signatureTag({ raw }: Pick<HeaderField, 'raw'>, tag: keyof typeof tags): string | null {
  const text = Buffer.from(raw.buffer, raw.byteOffset, Math.min(raw.length, maxFieldBytes)).toString('latin1');
  const value = tags[tag].exec(text)?.[1]?.replace(/\s+/g, '');
  return value === undefined || value === '' ? null : cleanText(value, 255);
}

function tagPattern(tag: string): RegExp {
  return new RegExp(`[:;]\\s*${tag}\\s*=([^;]*)`);
}
