// What readers may make of the encoded words (RFC 2047) in a display name or comment. Programs disagree about words that are not
// written by the rules and about charsets that not all of them know: a text for which that matters is answered as a Problem.
import { decodeWords } from '#mail/header/decode-text.ts';
import { type Problem, problem } from '#mail/problem.ts';

const encodedWord = /=\?([^?\s]{1,80})\?([BbQq])\?([^?]*)\?=/g;
const base64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** Each `=` begins an octet: a program that mends `= 40` sees an @ there. */
const quotedPrintable = /^(?:[^=]|=[0-9A-Fa-f]{2})*$/;

/** In these each octet below 128 is that ASCII character, and no other octet shows one. */
const plainCharset =
  /^(?:(?:us-)?ascii|ansi_x3\.4-1968|utf-?8|latin[1-9]|iso[-_]?8859[-_](?:[1-9]|1[0-6])(?:-[ei])?|(?:windows-|cp)125[0-8]|windows-874|(?:cp|ibm)866|koi8-[ru]|tis-620|macintosh|x-mac-roman)$/;
/** In these an octet may be an ASCII character or the second half of another: programs that are out of step disagree. */
const mixedCharset =
  /^(?:shift[_-]jis|x-sjis|windows-31j|cp932|euc-jp|gb2312|gbk|x-gbk|cp936|gb18030|big5(?:-hkscs)?|cp950|euc-kr|ks_c_5601-1987|cp949)$/;
const switchedCharset = /^iso-2022-jp$/;
/** RFC 1468 to the letter: whoever reads it knows where ASCII is and where it is not. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: ESC is how the charset switches.
const wellSwitched = /^(?:[ -~]|\x1b\([BJ]|\x1b\$[@B](?:[!-~]{2})*(?=\x1b|$))*$/;
const addressOutOfStep = /[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-][\x80-\xff]{0,2}@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}/;

/** The text as it stands, and with its encoded words decoded; a Problem where a program may show something else. */
export function readingsOf(text: string): readonly string[] | Problem {
  const rest = text.replaceAll(encodedWord, ' ');
  if (/=\?|\?=/.test(rest)) return problem('it has something like an encoded word that is none');
  if (![...text.matchAll(encodedWord)].every(isClear)) return problem('an encoded word in it cannot be decoded');
  const decoded = decodeWords(text);
  if (decoded.includes('=?')) return problem('an encoded word in it cannot be decoded');
  const octets = text
    .replaceAll(/(?<=\?=)\s+(?==\?)/g, '')
    .replaceAll(encodedWord, (_, charset, encoding, payload) =>
      mixedCharset.test(nameOf(charset)) ? octetsOf(encoding, payload) : ' ',
    );
  if (/[\x80-\xff]/.test(octets) && addressOutOfStep.test(octets))
    return problem('its display name looks like an address');
  return [...new Set([text, decoded])];
}

function isClear([, charset = '', encoding = '', payload = '']: RegExpExecArray): boolean {
  if (!(encoding.toUpperCase() === 'B' ? base64 : quotedPrintable).test(payload)) return false;
  const name = nameOf(charset);
  if (switchedCharset.test(name)) return wellSwitched.test(octetsOf(encoding, payload));
  return plainCharset.test(name) || mixedCharset.test(name);
}

/** Behind a `*` stands a language (RFC 2231 §5). */
function nameOf(charset: string): string {
  return charset.replace(/\*.*$/, '').toLowerCase();
}

/** The octets of a word, a character each. */
function octetsOf(encoding: string, payload: string): string {
  if (encoding.toUpperCase() === 'B') return Buffer.from(payload, 'base64').toString('latin1');
  return payload
    .replaceAll('_', ' ')
    .replaceAll(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
