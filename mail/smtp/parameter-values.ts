// The values of the parameters behind MAIL FROM and RCPT TO, one reader a syntax. `value` is null where there is no `=`; each
// answers null where it is not of that syntax. Which parameters there are is parameters.ts.
import { formatAddress, parseAddress } from '#mail/address/address.ts';
import type { RecipientDsn } from '#mail/envelope/recipient.ts';
import { isProblem } from '#mail/problem.ts';
import { decodeOriginalRecipient, decodeXtext } from './xtext.ts';

const maxEnvidChars = 100; // RFC 3461 §4.4
const maxOrcptChars = 500; // RFC 3461 §4.2

/** RFC 1870 §3: one to twenty digits; a number too large to count is the largest safe integer. */
export function readSize(value: string | null): number | null {
  return value === null || !/^[0-9]{1,20}$/.test(value) ? null : Math.min(Number(value), Number.MAX_SAFE_INTEGER);
}

/** RFC 6152 §3, RFC 3030 §3. */
export function readBody(value: string | null): '7bit' | '8bitmime' | 'binarymime' | null {
  const word = value?.toLowerCase();
  return word === '7bit' || word === '8bitmime' || word === 'binarymime' ? word : null;
}

/** A parameter that says all by being there. */
export function readFlag(value: string | null): true | null {
  return value === null ? true : null;
}

/** RFC 6710 §3: from -9 to 9. */
export function readPriority(value: string | null): number | null {
  return value !== null && /^(?:0|-?[1-9])$/.test(value) ? Number(value) : null;
}

/** RFC 3461 §4.3. */
export function readRet(value: string | null): 'full' | 'hdrs' | null {
  const word = value?.toLowerCase();
  return word === 'full' || word === 'hdrs' ? word : null;
}

/** RFC 3461 §4.4: xtext of printable US-ASCII, at most 100 characters. */
export function readEnvid(value: string | null): string | null {
  const envid = value === null || value.length > maxEnvidChars ? null : decodeXtext(value);
  return envid !== null && /^[ -~]+$/.test(envid) ? envid : null;
}

/** RFC 4954 §5: a mailbox in xtext, or `<>`, which is the empty string. RFC 6531 §3.4 lets it be plain UTF-8 as well. */
export function readAuth(value: string | null): string | null {
  const text = value === null || /[^\0-\x7f]/.test(value) ? value : decodeXtext(value);
  if (text === '<>') return '';
  const address = text === null ? null : parseAddress(text);
  return address === null || isProblem(address) ? null : formatAddress(address);
}

/** RFC 3461 §4.1: NEVER stands alone; the others in any order, each once. */
export function readNotify(value: string | null): RecipientDsn['notify'] {
  const words = (value ?? '').toLowerCase().split(',');
  const known = words.filter(
    (word) => word === 'never' || word === 'success' || word === 'failure' || word === 'delay',
  );
  const isUnique = new Set(words).size === words.length;
  return known.length === words.length && isUnique && (!words.includes('never') || words.length === 1) ? known : null;
}

/** RFC 3461 §4.2, decoded: `rfc822;a@b.example` or `utf-8;…`. */
export function readOrcpt(value: string | null): string | null {
  return value === null || value.length > maxOrcptChars ? null : decodeOriginalRecipient(value);
}
