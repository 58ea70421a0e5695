// Header text from bytes: raw 8-bit values, and encoded words (RFC 2047, with the language tag of RFC 2231 §5).
// Linear in its input, and total: what cannot be decoded stays as it stands.
import { isUtf8 } from 'node:buffer';
import { decodeCharset } from './decode-charset.ts';

/** Bytes that name no charset as text: UTF-8 (in a field: RFC 6532), or if they are not that, windows-1252 (`utf8` is then false). */
export function decodeEightBit(bytes: Uint8Array): { readonly text: string; readonly utf8: boolean } {
  if (!isUtf8(bytes)) return { text: decodeCharset(bytes, 'windows-1252') ?? '', utf8: false };
  return { text: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'), utf8: true };
}

const encodedWord = /=\?([^?\s]{1,80})\?([BbQq])\?([^?]*)\?=/g;

/**
 * Decodes the encoded words of a text. White space between two of them goes (RFC 2047 §6.2), and neighbours of one
 * charset are decoded as one run of bytes, since many senders cut inside a character. Line breaks and NUL that
 * come out of a word become spaces, so that no decoded value can pretend to be several fields.
 */
export function decodeWords(text: string): string {
  if (!text.includes('=?')) return text;
  let result = '';
  let end = 0;
  let run: { charset: string; bytes: Buffer[]; source: string } | null = null;
  for (const match of text.matchAll(encodedWord)) {
    const between = text.slice(end, match.index);
    const [source, label = '', encoding = '', payload = ''] = match;
    const charset = (label.split('*')[0] ?? '').toLowerCase();
    const bytes = encoding.toUpperCase() === 'B' ? Buffer.from(payload, 'base64') : decodeQ(payload);
    const adjacent = run !== null && /^\s*$/.test(between);
    if (run !== null && adjacent && run.charset === charset) {
      run.bytes.push(bytes);
      run.source += between + source;
    } else {
      result += decodeRun(run) + (adjacent ? '' : between);
      run = { charset, bytes: [bytes], source };
    }
    end = match.index + source.length;
  }
  return (result + decodeRun(run) + text.slice(end)).replace(/[\r\n\0]/g, ' ');
}

function decodeRun(run: { charset: string; bytes: Buffer[]; source: string } | null): string {
  if (run === null) return '';
  const bytes = Buffer.concat(run.bytes);
  const isAscii = run.charset === 'us-ascii' || run.charset === 'ascii';
  const asUtf8 = isAscii ? decodeCharset(bytes, 'utf-8', true) : null;
  return asUtf8 ?? decodeCharset(bytes, run.charset) ?? run.source;
}

function decodeQ(payload: string): Buffer {
  const source = Buffer.from(payload, 'utf8');
  const bytes = Buffer.allocUnsafe(source.length);
  let length = 0;
  for (let at = 0; at < source.length; at += 1) {
    const byte = source[at] ?? 0;
    const hex = byte === 0x3d ? source.toString('latin1', at + 1, at + 3) : '';
    const isEscape = /^[0-9A-Fa-f]{2}$/.test(hex);
    bytes[length] = isEscape ? Number.parseInt(hex, 16) : byte === 0x5f ? 0x20 : byte;
    length += 1;
    if (isEscape) at += 2;
  }
  return bytes.subarray(0, length);
}
