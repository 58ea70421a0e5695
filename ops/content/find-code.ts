// The one-time code in a message: what a person would type into the form that waits for it.
import { htmlText } from './html-text.ts';

/** What a code is called, in some languages of sign-up mail. */
const keyword =
  /\b(?:code|c[oó]digo|codice|kod|koden|codes|otp|pin|passcode|one[- ]time (?:password|passcode|code)|token|tan|einmalpasswort|bestätigungscode|sicherheitscode|anmeldecode|verification)\b|код|验证码|驗證碼|認証コード|인증/giu;
/** Codes of other kinds: what stands before the keyword gives them away. */
const otherKind =
  /(?:zip|post(?:al)?|area|country|dial(?:l?ing)?|promo(?:tion(?:al)?)?|discount|coupon|voucher|gift|referral|invite|error|status|exit|source|qr|bar|dress|product|item|order|tracking|sort|swift|http|response)[ -]?$/i;
/** Digits, perhaps in two groups; or capital letters and digits together, perhaps in two groups. */
const candidate =
  /(?<![\p{L}\p{N}\p{Sc}#.,:/@_+=&?%-])(?<!\p{N}[ -])(?:(\d{4,8}|\d{2,4}[ -]\d{2,4})|([A-Z]-\d{4,8}|[A-Z0-9]{4,10}|[A-Z0-9]{3,5}-[A-Z0-9]{3,5}))(?![\p{L}\p{N}@_=%]|[ .,:/-]\p{N}|[-/]\p{L}| ?[\p{Sc}%])/gu;

const maxText = 100_000;
const maxDistance = 200;
const linesBelow = 3;

type Candidate = { readonly code: string; readonly distance: number };

/**
 * 4 to 8 digits, or a few capital letters and digits, beside a word such as code, OTP or PIN. Groups are put together (`123 456` is
 * `123456`); a hyphen among letters stays. Null if there is none, or if two are as likely.
 */
export function findCode({
  subject,
  text,
  html,
}: {
  readonly subject: string | null;
  readonly text: string | null;
  readonly html: string | null;
}): string | null {
  const shown = html === null ? [] : [htmlText(html.slice(0, 4 * maxText))];
  for (const source of [text ?? '', ...shown, subject ?? '']) {
    const found = codesIn(source.slice(0, maxText));
    const [nearest, ...others] = found.toSorted((one, other) => one.distance - other.distance);
    if (nearest === undefined) continue;
    const isAlone = others.every(({ code, distance }) => code === nearest.code || distance > 2 * nearest.distance + 10);
    return isAlone ? nearest.code : null;
  }
  return null;
}

/** Those near a keyword, each with its distance in characters; blanks do not count. */
function codesIn(source: string): readonly Candidate[] {
  const text = source
    .replaceAll(/https?:\/\/\S+/gi, ' ')
    .replaceAll(/[^\S\n]+/g, ' ')
    .replaceAll(/ ?\n[ \n]*/g, '\n');
  const keywords = [...text.matchAll(keyword)].filter(
    ({ index }) => !otherKind.test(text.slice(Math.max(0, index - 20), index)),
  );
  const places = keywords.map(({ 0: word, index }) => ({ start: index, end: index + word.length }));
  return [...text.matchAll(candidate)].flatMap((match) => {
    const [whole, digits, mixed] = match;
    const code = digits === undefined ? mixedCode(mixed ?? '') : digits.replace(/[ -]/, '');
    if (code === null || code.length > 10 || code.length < 4) return [];
    const start = match.index;
    const distances = places.map((place) => distanceTo(text, place, { start, end: start + whole.length }));
    const distance = Math.min(...distances);
    return distance <= maxDistance ? [{ code, distance }] : [];
  });
}

/** Letters alone are a word, unless digits are among them. */
function mixedCode(text: string): string | null {
  return /\d/.test(text) && /[A-Z]/.test(text) ? text : null;
}

type Place = { readonly start: number; readonly end: number };

/** Before its keyword a code stands on the same line; behind it, on one of the next lines. */
function distanceTo(text: string, word: Place, code: Place): number {
  const between = code.start >= word.end ? text.slice(word.end, code.start) : text.slice(code.end, word.start);
  const lines = between.split('\n').length - 1;
  if (code.start >= word.end) return lines > linesBelow ? Number.POSITIVE_INFINITY : between.length;
  return lines > 0 ? Number.POSITIVE_INFINITY : between.length + 5;
}
