// The tags of a DKIM-Signature field (RFC 6376 §3.2, §3.5), and of the ARC fields that are written like one (RFC 8617 §4.1).
import { cleanText } from '#mail/clean-text.ts';
import type { HeaderField } from '#mail/header/header-fields.ts';

const maxFieldBytes = 32_768;

/** The value of a tag without blanks, 255 characters of it at most; null if there is no such tag. */
export function signatureTag({ raw }: Pick<HeaderField, 'raw'>, tag: 'd' | 's' | 'a' | 'c' | 'l'): string | null {
  const text = Buffer.from(raw.buffer, raw.byteOffset, Math.min(raw.length, maxFieldBytes)).toString('utf8');
  for (const spec of text.slice(text.indexOf(':') + 1).split(';')) {
    const [name = '', ...rest] = spec.split('=');
    if (name.trim() === tag) return cleanText(rest.join('=').replace(/\s+/g, ''), 255) || null;
  }
  return null;
}
