// The words for what can be wrong with a message (`problems[].code`): stable, for programs; the detail is for people.
import { limits } from './limits.ts';

/** Every code and what it means; docs/inbox-message.md has the same table. */
export const problemCodes = {
  'parse-failed': 'The body could not be read to its end.',
  'parse-timeout': 'Reading the body took longer than the budget and was given up.',
  'parse-out-of-memory': 'Reading the body needed more memory than the budget and was given up.',
  'header-too-large': 'Not all of the header is given here.',
  'part-header-too-large': 'A part has a header too large to read; the parts from there on are missing.',
  'malformed-header':
    'The header has lines that are no fields, which were passed over, or octets that programs read in different ways.',
  'author-doubtful': 'It cannot be told for sure who wrote the message: programs may show somebody else than `from`.',
  'duplicate-header': 'A field that may stand once stands several times; the first one counts.',
  'header-not-utf8': 'A field holds bytes that are not UTF-8; they were read as windows-1252.',
  'forged-authentication-results':
    'A field (Authentication-Results, ARC-Authentication-Results or Received-SPF) claims to be our verdict; only `authentication` is (RFC 8601 §5).',
  'malformed-date': 'The Date field is not a date.',
  'malformed-message-id': 'A Message-ID, In-Reply-To or References field holds something else than message ids.',
  'malformed-address': 'An address field holds something that is not an address.',
  'too-many-addresses': 'Not all of the addresses are given here.',
  'too-many-references': 'Only the last of the references are given here.',
  'too-many-signatures': 'The message has more than ten DKIM signatures; those past the tenth were not looked at.',
  'too-many-parts': 'The message has too many parts; those past the limit are missing.',
  'too-many-attachments': 'The attachments past the limit were not stored.',
  'malformed-mime': 'The MIME structure is broken.',
  'malformed-content-type':
    'Something has a type that is not a media type; a part then counts as application/octet-stream, a message as text.',
  'html-too-deep': 'The HTML has more than 1,000 elements within one another: what shows it may choke on it.',
  'undecodable-text':
    'Some bytes of a body are not valid in its charset: each is U+FFFD here, or was read as windows-1252 where no charset is known.',
  'attachment-name-changed': 'An attachment had a name that is not safe to save under.',
  'too-many-problems': 'There were more problems than are given here.',
} as const;

/** One of {@link problemCodes}. */
export type ProblemCode = keyof typeof problemCodes;

/** Says whether a value is a {@link ProblemCode}. */
export function isProblemCode(value: unknown): value is ProblemCode {
  return typeof value === 'string' && Object.hasOwn(problemCodes, value);
}

/** Something that was wrong with the message. */
export type MessageProblem = { readonly code: ProblemCode; readonly detail: string };

/** Collects problems: each (code, detail) once, at most {@link limits.problems}, details of bounded length. */
export type ProblemList = {
  readonly add: (code: ProblemCode, detail?: string) => void;
  readonly list: () => MessageProblem[];
};

/** Makes an empty list; `first` is what was found before. */
export function createProblemList(first: readonly MessageProblem[] = []): ProblemList {
  const found = new Map<string, MessageProblem>();
  let overflow = false;
  const add = (code: ProblemCode, detail: string = problemCodes[code]): void => {
    const shown = detail.length > limits.problemDetailChars ? `${detail.slice(0, limits.problemDetailChars)}…` : detail;
    const key = `${code} ${shown}`;
    if (found.has(key)) return;
    if (found.size >= limits.problems - 1) overflow = true;
    else found.set(key, { code, detail: shown.toWellFormed() });
  };
  for (const { code, detail } of first) add(code, detail);
  return {
    add,
    list: () => [
      ...found.values(),
      ...(overflow ? [{ code: 'too-many-problems', detail: problemCodes['too-many-problems'] } as const] : []),
    ],
  };
}
