// One SMTP reply, ours or a peer's (RFC 5321 §4.2): its code, its enhanced code (RFC 3463), its words. Read and written here.

type Digit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;
type ToNumber<Text extends string> = Text extends `${infer Value extends number}` ? Value : never;

/** The codes of one class: 400 to 499 are those of class 4. */
type CodeOf<Class extends 2 | 3 | 4 | 5> = ToNumber<`${Class}${Digit}${Digit}`>;

/** The enhanced codes that a code may have: those of its own class (RFC 2034 §4). Null: none, as in a greeting, EHLO, 3xx. */
type EnhancedOf<Code extends number> = `${Code}` extends `${infer Class extends '2' | '4' | '5'}${string}`
  ? `${Class}.${number}.${number}` | null
  : null;

type ReplyOf<Class extends 2 | 3 | 4 | 5> = {
  readonly code: CodeOf<Class>;
  readonly enhanced: EnhancedOf<CodeOf<Class>>;
  /** A line feed begins a new line of the reply. */
  readonly text: string;
};

/** A reply. Whether it is for now or for good follows from its code. */
export type Reply = ReplyOf<2> | ReplyOf<3> | ReplyOf<4> | ReplyOf<5>;

const maxLineChars = 500; // RFC 5321 §4.5.3.1.5: 512 octets, code, enhanced code and CRLF among them
const maxShownChars = 1_000;
const maxRecordedChars = 500;

/** A text that goes out as it is, whatever stands before it. */
const plainLine = /^[ -~]{0,400}$/;

/** Makes a reply. An enhanced code of another class than the code's does not compile. */
export function reply<const Code extends Reply['code']>(
  code: Code,
  enhanced: EnhancedOf<Code>,
  text: string,
): { readonly code: Code; readonly enhanced: EnhancedOf<Code>; readonly text: string } {
  return { code, enhanced, text };
}

/** Says whether the peer may go on. */
export function isPositive({ code }: { readonly code: number }): boolean {
  return code >= 200 && code <= 299;
}

/** Says whether the peer may try again later. */
export function isTemporary({ code }: { readonly code: number }): boolean {
  return code >= 400 && code <= 499;
}

/** Says whether the reply is a final no. */
export function isPermanent({ code }: { readonly code: number }): boolean {
  return code >= 500 && code <= 599;
}

/** Writes a reply as it goes over the wire, CRLF at the end of each line; long lines are cut, what is not printable ASCII is `?`. */
export function formatReply({ code, enhanced, text }: Reply): string {
  const prefix = enhanced === null ? '' : `${enhanced} `;
  if (plainLine.test(text)) return `${code} ${prefix}${text}\r\n`;
  const lines = text.split('\n');
  return lines
    .map((line, index) => {
      const mark = index === lines.length - 1 ? ' ' : '-';
      const words = `${prefix}${line}`.slice(0, maxLineChars).replace(/[^ -~]/g, '?');
      return `${code}${mark}${words}\r\n`;
    })
    .join('');
}

/**
 * Reads the lines of one reply, without their line endings; null where one of them belongs to none. Where the enhanced code
 * is of another class than the code, the code decides (RFC 2034 §4): `550 4.2.2` is a `5.2.2`.
 */
export function parseReply(lines: readonly string[]): Reply | null {
  const [, code = '', said] = /^([2-5]\d\d)(?:[ -] *([245](?:\.\d{1,3}){2})(?= |$))?/.exec(lines[0] ?? '') ?? [];
  if (!lines.every((line) => line.startsWith(code) && /^(?:[ -]|$)/.test(line.slice(3)))) return null;
  const enhanced = said === undefined || code.startsWith('3') ? null : `${code.charAt(0)}${said.slice(1)}`;
  const words = lines.map((line) => line.slice(4).trim());
  const text = enhanced === null || said === undefined ? words : words.map((line) => without(line, said));
  return replyOf({ code: Number(code), enhanced, text: text.join('\n') });
}

function without(line: string, start: string): string {
  return line.startsWith(start) ? line.slice(start.length).trim() : line;
}

/** A reply as it is on record (mail/envelope/recipient.ts), perhaps since an earlier version. */
type RecordedReply = { readonly code: number; readonly enhanced: string | null; readonly text: string };

/** A reply whose code is known at run time alone; null if it is none, or if the enhanced code is of another class. */
export function replyOf(parts: RecordedReply): Reply | null {
  return isReply(parts) ? parts : null;
}

function isReply(parts: RecordedReply): parts is Reply {
  const { code, enhanced } = parts;
  return code >= 200 && code <= 599 && (enhanced === null || enhanced.startsWith(String(code).charAt(0)));
}

/** The form to put on record: its text on one line, at most 500 characters of it. */
export function recordedReply({ code, enhanced, text }: Reply): RecordedReply {
  return { code, enhanced, text: onOneLine(text).slice(0, maxRecordedChars) };
}

/** A reply on one line, at most 1,000 characters of its text. */
export function shownReply({ code, enhanced, text }: RecordedReply): string {
  return [String(code), enhanced, onOneLine(text)].filter((part) => part !== null && part !== '').join(' ');
}

function onOneLine(text: string): string {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.join(' ').slice(0, maxShownChars);
}
