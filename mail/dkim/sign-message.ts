// Makes DKIM-Signature fields (RFC 6376, RFC 8463), relaxed/relaxed, with RSA-SHA256 and Ed25519-SHA256. Expects bytes
// whose lines end in CRLF already: what is signed is what is sent. Written by hand because nodemailer and mailauth sign only
// fields that are there: they cannot name a field once more than it occurs, which keeps anyone from adding a second From (§8.15).
import { createHash, type Hash, type KeyObject, sign } from 'node:crypto';
import type { HeaderField } from '#mail/header/header-fields.ts';
import { isShownOnce, shownOnce } from './unsigned-twin.ts';

/** One key of a domain, parsed. */
export type SigningKey = { readonly selector: string; readonly key: KeyObject };

/** Signed if they are there; a mailing list may add its own. */
const signed = ['in-reply-to', 'references', 'list-id', 'list-unsubscribe', 'list-unsubscribe-post', 'auto-submitted'];

/** The names of the fields that a signature covers. */
export const signedField = new RegExp(`^(?:${[...shownOnce, ...signed].join('|')})$`, 'i');

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const breaksAtOnce = 1_000;

/** The hash of a body as it passes in chunks, canonicalised `relaxed` (§3.4.4); `digest` ends it, in base64. */
export type BodyHash = { readonly push: (chunk: Uint8Array) => void; readonly digest: () => string };

/** Starts the hash of one body. Lines must end in CRLF. */
export function createBodyHash(): BodyHash {
  const hash = createHash('sha256');
  let breaks = 0;
  let hasSpace = false;
  let isEmpty = true;
  return {
    push(chunk) {
      if (breaks > breaksAtOnce && hasText(chunk)) breaks = flushBreaks(hash, breaks);
      const out = Buffer.allocUnsafe(chunk.length + 2 * Math.min(breaks, breaksAtOnce) + 2);
      let length = 0;
      for (const byte of chunk) {
        if (byte === SPACE || byte === TAB) hasSpace = true;
        else if (byte === LF) {
          hasSpace = false;
          breaks += 1;
        } else if (byte !== CR) {
          for (; breaks > 0; breaks--) {
            out[length++] = CR;
            out[length++] = LF;
          }
          if (hasSpace) out[length++] = SPACE;
          hasSpace = false;
          out[length++] = byte;
          isEmpty = false;
        }
      }
      hash.update(out.subarray(0, length));
    },
    digest: () => (isEmpty ? hash : hash.update('\r\n')).digest('base64'),
  };
}

function hasText(chunk: Uint8Array): boolean {
  return chunk.some((byte) => byte !== SPACE && byte !== TAB && byte !== CR && byte !== LF);
}

/** Line breaks held back from earlier chunks: more than a few go to the hash piece by piece. Answers how many are left: 0. */
function flushBreaks(hash: Hash, count: number): number {
  const piece = Buffer.from('\r\n'.repeat(breaksAtOnce));
  for (let left = count; left > 0; left -= breaksAtOnce)
    hash.update(piece.subarray(0, 2 * Math.min(left, breaksAtOnce)));
  return 0;
}

/** `rewritten`: fields that a relay replaces on the way, in lower case; a signature over them would break. */
type SigningFacts = {
  readonly fields: readonly HeaderField[];
  readonly bodyHash: string;
  readonly domain: string;
  readonly rewritten?: readonly string[];
};

/** The DKIM-Signature fields to put before the message, one a key, each ending in CRLF. `nowMs` becomes `t=`. */
export async function signatureFields(
  facts: SigningFacts,
  keys: readonly SigningKey[],
  nowMs: number,
): Promise<string> {
  const covered = coveredFields(facts);
  const headerText = covered.found.map(relaxedField).join('');
  const made = keys.map(async ({ selector, key }) => {
    const algorithm = algorithmOf(key);
    const template = [
      `DKIM-Signature: v=1; a=${algorithm}; c=relaxed/relaxed; d=${facts.domain};`,
      `\ts=${selector}; t=${Math.floor(nowMs / 1000)};`,
      `\th=${covered.names.join(':').replace(/(.{50,70}):/g, '$1:\r\n\t ')};`,
      `\tbh=${facts.bodyHash};`,
      '\tb=',
    ].join('\r\n');
    const data = Buffer.from(headerText + relaxedText(template), 'latin1');
    const signature = await signWith(key, data);
    return `${template}${signature.toString('base64').replace(/.{1,72}(?=.)/g, '$&\r\n\t ')}\r\n`;
  });
  return (await Promise.all(made)).join('');
}

/**
 * The names for `h=`, and the fields that they stand for: of a name that occurs more than once the lowest comes first (§5.4.2). A field
 * that may stand once is named once more than it occurs: nobody can add another.
 */
function coveredFields({ fields, rewritten = [] }: SigningFacts): { names: string[]; found: Uint8Array[] } {
  const byName = Map.groupBy(fields.toReversed(), ({ name }) => name.toLowerCase());
  const names = [...shownOnce, ...signed].filter((name) => !rewritten.includes(name));
  const covered = names.map((name) => ({ name, found: byName.get(name) ?? [] }));
  return {
    names: covered.flatMap(({ name, found }) => [...found.map(() => name), ...(isShownOnce(name) ? [name] : [])]),
    found: covered.flatMap(({ found }) => found.map(({ raw }) => raw)),
  };
}

/** A field canonicalised `relaxed` (§3.4.2), with its line end; bytes as Latin-1 characters. */
function relaxedField(raw: Uint8Array): string {
  return `${relaxedText(Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('latin1'))}\r\n`;
}

function relaxedText(field: string): string {
  const colon = field.indexOf(':');
  const value = field
    .slice(colon + 1)
    .replace(/\r\n/g, '')
    .replace(/[ \t]+/g, ' ')
    .replace(/^ | $/g, ''); // not trim(): octet A0, the end of many a character in UTF-8, is no white space here
  return `${field.slice(0, colon).trim().toLowerCase()}:${value}`;
}

function algorithmOf(key: KeyObject): 'rsa-sha256' | 'ed25519-sha256' {
  if (key.asymmetricKeyType === 'rsa') return 'rsa-sha256';
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519-sha256';
  throw new Error(`a DKIM key must be RSA or Ed25519, not ${key.asymmetricKeyType}`);
}

/** In the thread pool: an RSA signature takes longer than everything else that is done for a small message. */
function signWith(key: KeyObject, data: Uint8Array): Promise<Buffer> {
  const isRsa = key.asymmetricKeyType === 'rsa';
  const input = isRsa ? data : createHash('sha256').update(data).digest(); // RFC 8463 §3: the hash is what is signed
  return new Promise((resolve, reject) => {
    sign(isRsa ? 'sha256' : null, input, key, (error, signature) =>
      error === null ? resolve(signature) : reject(error),
    );
  });
}
