// The one-time code in a message: what a person would type into the form that waits for it.
import { htmlText } from './html-text.ts';

/** What a code is called, in some languages of sign-up mail. */
const keyword =
  /\b(?:code|c[oó]digo|codice|kod|koden|codes|otp|pin|passcode|one[- ]time (?:password|passcode|code)|token|tan|einmalpasswort|bestätigungscode|sicherheitscode|anmeldecode|verification)\b|код|验证码|驗證碼|認証コード|인증/giu;
/** Codes of other kinds: what stands before the keyword gives them away. */
const otherKind =
  /(?:zip|post(?:al)?|area|country|dial(?:l?ing)?|promo(?:tion(?:al)?)?|discount|coupon|voucher|gift|referral|invite|error|status|exit|source|qr|bar|dress|product|item|order|tracking|sort|swift|http|response)[ -]?$/i;
/** Digits, perhaps in groups or one by one; or letters and digits, perhaps in groups. */
const candidate =
  /(?<![[\p{L}--[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}]]\p{N}\p{Sc}#.,\/@_+\&?%\-])(?<!\p{N}[ :\-])(?:\d(?:[ \n]\d){3,7}|\d{4,8}|\d{2,4}[ \-]\d{2,4}|[A-Z]-\d{4,8}|[A-Z0-9]{3,5}(?:-[A-Z0-9]{3,5}){1,4}|[A-Za-z0-9]{4,12})(?![[\p{L}--[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}]]\p{N}@_=%]|[ .,:\/\-]\p{N}|[\-\/]\p{L}| ?[\p{Sc}%])/gv;

/** Between a keyword and the code behind it: nothing but signs, or the words that say so at the end of the same sentence. */
const saysIs =
  /^[ :：=.>"'«„“”([*–—-]*$|^(?:(?![.!?] )[^\n])*?(?:[ :：]|^)(?:is|are|ist|lautet|est|es|é|è|[:：=])[ :："'«„“”([*-]*$|^ ?(?:は|是|为|為|은|는)[ :：]?$/iu;
/** Between a code and the keyword behind it. */
const isWhat =
  /^["'»“”)\]]* ?(?: (?:is|ist|est|es|é|è) |[–—:-] (?=(?:your|the|ihr|dein|votre|ton|tu|su)\b))(?:(?![.!?] )[^\n]){0,60}$/iu;
const asksBefore = /\b(?:enter|use|type|input) (?:the (?:number|digits) )?$/i;
const asksBehind = /^ (?:to|as|on|at|in|when)\b/i;
const orElse = /^ ?(?:or|oder|ou|[/,])? ?$/i;
/** What a number that is no code stands behind or before. */
const otherNumber =
  /(?:order|invoice|booking|customer|account|card|ending(?: in| with)?|ref(?:erence)?|ticket|case|shop|store|phone|tel|call|fax|box|inr|usd|eur|gbp|chf|jpy|rs|©|\(c\)|copyright)[ .:#]*(?:(?:no|nr)\b\.?|number|id)?(?: is)?[ :#]*$/i;
const unitBehind = /^ ?(?:inr|usd|eur|gbp|chf|jpy|euros?|dollars?|points|users|people|times|minutes|hours|days)\b/i;
const yearLike = /^(?:19|20)\d\d$/;
const noCode =
  /^(?:below|above|here|expired|invalid|required|included|attached|follows|open|free|only|code|codes|this)$/i;

const maxText = 100_000;
const maxDistance = 200;
const linesBelow = 3;
const linesAbove = 2;
const solidLength = 10;

/** `solid`: looks like a code anywhere; `loose`: only where the text says so; `word`: letters alone, and only if there is nothing else. */
type Form = 'solid' | 'loose' | 'word';
/** `named`: the text says that it is the code; `alone`: on a line of its own beside the keyword; `near`: neither. */
type Rank = 'named' | 'alone' | 'near';
type Candidate = { readonly code: string; readonly form: Form; readonly start: number; readonly end: number };
type Placed = Candidate & { readonly rank: Rank; readonly distance: number };
type Place = { readonly start: number; readonly end: number };

/**
 * 4 to 8 digits, or a few letters and digits, beside a word such as code, OTP or PIN. Groups of digits are put together (`123 456` is
 * `123456`); a hyphen among letters stays. Of several numbers it is the one that the text names as the code, or that stands on a line of
 * its own. Null if there is none, or if two are as likely.
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
  const sources = [text ?? '', ...shown, subject ?? ''].map((source) => normalized(source.slice(0, maxText)));
  const placed = sources.map((source) => ({ source, found: codesIn(source) }));
  for (const isWord of [false, true]) {
    for (const rank of ranks) {
      const codes = placed.map(({ source, found }) => likeliest(source, found, { rank, isWord }));
      const known = codes.find((code) => typeof code === 'string');
      if (known !== undefined) return known;
      if (codes.includes(inDoubt)) return null;
    }
  }
  return null;
}

const ranks: readonly Rank[] = ['named', 'alone', 'near'];
const inDoubt = Symbol('two are as likely');

/** Without links and characters that nobody sees; blanks and empty lines count once. */
function normalized(source: string): string {
  return source
    .replaceAll(/\b[a-z][a-z0-9+.-]{1,30}:\/\/\S+/gi, ' ')
    .replaceAll(/[\u00ad\u200b-\u200d\u2060\ufeff]/g, '')
    .replaceAll('\u2011', '-')
    .replaceAll(/[^\S\n]+/g, ' ')
    .replaceAll(/ ?\n[ \n]*/g, '\n');
}

/** Undefined if none has the rank. */
function likeliest(
  source: string,
  found: readonly Placed[],
  { rank, isWord }: { readonly rank: Rank; readonly isWord: boolean },
): string | typeof inDoubt | undefined {
  const [nearest, ...others] = found
    .filter((one) => one.rank === rank && (one.form === 'word') === isWord)
    .toSorted((one, other) => one.distance - other.distance);
  if (nearest === undefined) return undefined;
  const isClear = others.every(({ code, distance }) => code === nearest.code || distance > 2 * nearest.distance + 10);
  const isEither = found.some(
    ({ code, start, form }) =>
      form === 'solid' &&
      code !== nearest.code &&
      start >= nearest.end &&
      start - nearest.end < 8 &&
      orElse.test(source.slice(nearest.end, start)),
  );
  return isClear && !isEither ? nearest.code : inDoubt;
}

/** Each with its place beside the nearest keyword. */
function codesIn(text: string): readonly Placed[] {
  const keywords = [...text.matchAll(keyword)]
    .filter(({ index }) => !otherKind.test(text.slice(Math.max(0, index - 20), index)))
    .map(({ 0: word, index }) => ({ start: index, end: index + word.length }));
  const found: Placed[] = [];
  let next = 0; // the first keyword behind the candidate: both lists are in order
  for (const one of candidatesIn(text)) {
    while ((keywords[next]?.start ?? Number.POSITIVE_INFINITY) < one.end) next += 1;
    const places = [placeBehind(text, keywords[next - 1], one), placeBefore(text, keywords[next], one)];
    const best = [placeAsked(text, one), ...places]
      .filter((place) => place !== null)
      .filter(({ rank }) => rank !== 'near' || isLikely(text, one))
      .toSorted((a, b) => ranks.indexOf(a.rank) - ranks.indexOf(b.rank) || a.distance - b.distance)[0];
    if (best !== undefined) found.push({ ...one, ...best });
  }
  return found;
}

function* candidatesIn(text: string): Generator<Candidate> {
  for (const { 0: whole, index } of text.matchAll(candidate)) {
    const place = { start: index, end: index + whole.length };
    const digits = /^[\d \n-]+$/.test(whole) ? whole.replaceAll(/[ \n-]/g, '') : null;
    if (digits !== null) {
      if (digits.length >= 4 && digits.length <= 8) yield { code: digits, form: 'solid', ...place };
    } else if (/\d/.test(whole)) {
      const isSolid = !/[a-z]/.test(whole) && whole.length <= solidLength;
      yield { code: whole, form: isSolid ? 'solid' : 'loose', ...place };
    } else if (!/[a-z]/.test(whole) && !noCode.test(whole)) {
      yield { code: whole, form: 'word', ...place };
    }
  }
}

/** A number that is near a keyword and is something else, as what stands around it says. */
function isLikely(text: string, { code, form, start, end }: Candidate): boolean {
  if (form !== 'solid' || yearLike.test(code)) return false;
  return !otherNumber.test(text.slice(Math.max(0, start - 40), start)) && !unitBehind.test(text.slice(end, end + 12));
}

type Beside = { readonly rank: Rank; readonly distance: number };

/** `Enter 123456 to sign in`: no keyword is needed. */
function placeAsked(text: string, { form, start, end }: Candidate): Beside | null {
  const isAsked =
    form === 'solid' &&
    asksBefore.test(text.slice(Math.max(0, start - 30), start)) &&
    asksBehind.test(text.slice(end, end + 6));
  return isAsked ? { rank: 'named', distance: 0 } : null;
}

/** Behind a keyword a code stands in the same line or on one of the next. */
function placeBehind(text: string, word: Place | undefined, code: Candidate): Beside | null {
  if (word === undefined || word.end > code.start || code.start - word.end > maxDistance) return null;
  const gap = text.slice(word.end, code.start);
  const lines = gap.split('\n').length - 1;
  if (lines > linesBelow) return null;
  const distance = gap.length;
  const isHeading = gap === ' ' && /^[A-Z]+$/.test(code.code); // CODE REVIEW
  if (lines === 0 && !isHeading && saysIs.test(gap)) return { rank: 'named', distance };
  return { rank: isOwnLine(text, code) ? 'alone' : 'near', distance };
}

/** Before its keyword it stands in the same line, or on a line of its own above. */
function placeBefore(text: string, word: Place | undefined, code: Candidate): Beside | null {
  if (word === undefined || word.start - code.end > maxDistance) return null;
  const gap = text.slice(code.end, word.start);
  const lines = gap.split('\n').length - 1;
  const distance = gap.length + 5;
  if (lines === 0) return { rank: isWhat.test(gap) ? 'named' : 'near', distance };
  return lines <= linesAbove && isOwnLine(text, code) ? { rank: 'alone', distance } : null;
}

function isOwnLine(text: string, { start, end }: Place): boolean {
  const before = text.slice(Math.max(0, start - 3), start);
  return /(?:^|\n)[ "'([*]*$/.test(before) && /^[ .!"')\]*]*(?:\n|$)/.test(text.slice(end, end + 4));
}
