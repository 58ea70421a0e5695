// The header of a submitted message, read as strictly as senders must write (RFC 5322 §2.2, §3.6): programs that read mail
// disagree about all that is not. What is private to the submitter is taken out here: no recipient gets to see it.
import type { HeaderField } from '#mail/header/header-fields.ts';
import { replies } from '#mail/smtp/replies.ts';
import type { Reply } from '#mail/smtp/reply.ts';

/** What a submitted header is: fields, or the beginning of a text that has none; or a reply that refuses it. */
export type SubmittedHeader =
  | {
      readonly outcome: 'fields';
      readonly fields: readonly HeaderField[];
      /** The fields' octets as they came, without those that are private. */
      readonly bytes: Buffer;
      /** The empty line behind them; empty where the message ends without one. */
      readonly end: Buffer;
    }
  | { readonly outcome: 'text' }
  | { readonly outcome: 'refused'; readonly reply: Reply };

const maxFields = 1_000; // no program that writes mail comes near; those that read it stop at some number
const authorField = /^(?:resent-)?(?:from|sender)$|^author$/i;
/** Who else gets it (RFC 5322 §3.6.3), and what only the last host may write (RFC 5321 §4.4). */
const privateField = /^(?:(?:resent-)?bcc|return-path)$/i;
const fieldStart = /^((?!>)[!-9;-~]+)([ \t]*):/; // `>From:` is a From field to who takes mailbox files apart
// biome-ignore lint/suspicious/noControlCharactersInRegex: they have no place in a header; TAB, CR and LF are told apart below.
const control = /[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]/;

/** Says whether a field tells who wrote or sent a message (RFC 5322 §3.6.2, §3.6.6, RFC 9057). */
export function isAuthorField({ name }: Pick<HeaderField, 'name'>): boolean {
  return authorField.test(name);
}

/** Reads a header with its final empty line, where it has one. Lines must end in CRLF. */
export function readSubmittedHeader(header: Buffer): SubmittedHeader {
  const headEnd = endOfFields(header);
  const text = header.toString('latin1', 0, headEnd);
  if (text.includes('\0')) return refused(replies.nulInHeader); // `Fr\0om:` is a From field at a host that drops NUL
  if (/\r(?!\n)|(?<!\r)\n/.test(text)) return refused(replies.bareLineFeed);
  if (control.test(text)) return refused(replies.headerUnreadable('it has control characters'));
  const lines = linesOf(text);
  const fields = fieldsOf(header, lines);
  if ('problem' in fields) {
    const isText = !/^[ \t]/.test(text) && !lines.some((line) => fieldStart.test(line));
    return isText ? { outcome: 'text' } : refused(fields.problem);
  }
  if (header.length === 0) return { outcome: 'text' };
  if (fields.length > maxFields) return refused(replies.tooManyFields(maxFields));
  const kept = fields.filter(({ name }) => !privateField.test(name));
  const bytes = kept.length === fields.length ? header.subarray(0, headEnd) : Buffer.concat(kept.map(({ raw }) => raw));
  return { outcome: 'fields', fields: kept, bytes, end: header.subarray(headEnd) };
}

/** Where the empty line begins; the length of the header where there is none. */
function endOfFields(header: Buffer): number {
  if (header.indexOf('\r\n') === 0) return 0;
  const end = header.indexOf('\r\n\r\n');
  return end === -1 ? header.length : end + 2;
}

/** The lines with their CRLF, which the last one may lack. */
function linesOf(head: string): readonly string[] {
  return head.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** The fields, or the reply that says what is wrong with one. */
function fieldsOf(header: Buffer, lines: readonly string[]): readonly HeaderField[] | { readonly problem: Reply } {
  const fields: { readonly name: string; readonly from: number; to: number }[] = [];
  let at = 0;
  for (const line of lines) {
    const last = fields.at(-1);
    const next = at + line.length;
    const [, name = '', blank = ''] = fieldStart.exec(line) ?? [];
    if (/^[ \t]/.test(line)) {
      if (last === undefined) return malformed('its first line begins with a blank');
      if (isAuthorField(last) && line.trim() === '') return unclear(last.name, 'it has an empty line');
      last.to = next;
    } else {
      if (name === '') return malformed(`a line is no field: ${JSON.stringify(line.trim().slice(0, 40))}`);
      if (blank !== '' && authorField.test(name)) {
        const isSecond = fields.some((field) => field.name.toLowerCase() === name.toLowerCase());
        return isSecond ? malformed(`it has two ${name} fields`) : unclear(name, 'a blank stands behind its name');
      }
      fields.push({ name, from: at, to: next });
    }
    at = next;
  }
  return fields.map(({ name, from, to }) => ({ name, raw: header.subarray(from, to), offset: from, bytes: to - from }));
}

function malformed(problem: string): { readonly problem: Reply } {
  return { problem: replies.headerUnreadable(problem) };
}

/** Some programs take it for an author field, some do not: it might show somebody else. */
function unclear(field: string, problem: string): { readonly problem: Reply } {
  return { problem: replies.authorUnreadable(field, problem) };
}

function refused(reply: Reply): SubmittedHeader {
  return { outcome: 'refused', reply };
}
