// A DKIM signer of the tests (RFC 6376, RFC 8463) that can be told to sign wrongly: relaxed/simple, one Ed25519 key for all domains.
import { createHash, generateKeyPairSync, sign } from 'node:crypto';

const key = generateKeyPairSync('ed25519');
const publicKey = key.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64');

/** The TXT record at `selector._domainkey.domain`. */
export const ed25519Record = `v=DKIM1; k=ed25519; p=${publicKey}`;

export type Signing = {
  readonly domain: string;
  /** The `h=` tag. Of each name the lowest field that is left is covered (§5.4.2). */
  readonly names: readonly string[];
  /** `s` if left out. */
  readonly selector?: string;
  /** More tags, each with its semicolon. */
  readonly tags?: string;
};

/** The message (octets as Latin-1 characters, lines in CRLF) behind its DKIM-Signature field. */
export function signEd25519(message: string, { domain, names, selector = 's', tags = '' }: Signing): string {
  const end = message.startsWith('\r\n') ? 0 : message.indexOf('\r\n\r\n') + 2;
  const [header, body] = [message.slice(0, end), message.slice(end + 2)];
  const bodyHash = createHash('sha256').update(body, 'latin1').digest('base64');
  const fields = header.match(/[^\n]*\n(?:[ \t][^\n]*\n)*/g) ?? [];
  const covered = names.flatMap((name) => {
    const at = fields.findLastIndex((text) => new RegExp(`^${name}[ \\t\\r\\n]*:`, 'i').test(text));
    return at < 0 ? [] : fields.splice(at, 1).map((field) => `${relaxed(field)}\r\n`);
  });
  const template = `DKIM-Signature: v=1;${tags} a=ed25519-sha256; c=relaxed/simple; d=${domain}; s=${selector}; h=${names.join(':')}; bh=${bodyHash}; b=`;
  const data = Buffer.from(covered.join('') + relaxed(template), 'latin1');
  const value = sign(null, createHash('sha256').update(data).digest(), key.privateKey).toString('base64');
  return `${template}${value}\r\n${message}`;
}

function relaxed(field: string): string {
  const colon = field.indexOf(':');
  const name = field
    .slice(0, colon)
    .replace(/[ \t\r\n]/g, '')
    .toLowerCase();
  return `${name}:${field
    .slice(colon + 1)
    .replaceAll('\r\n', '')
    .replace(/[ \t]+/g, ' ')
    .replace(/^ | $/g, '')}`;
}
