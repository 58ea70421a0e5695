// The header of a submitted message, as strictly as senders must write (RFC 5322 §2.2, §3.6): it is read as everywhere else, and
// refused for what programs that read mail disagree about. What is private to the submitter is taken out: no recipient gets to see it.
import { isAuthorName, isPrivateName } from '#mail/header/field-name.ts';
import type { HeaderField } from '#mail/header/header-fields.ts';
import { type Header, readHeader } from '#mail/header/read-header.ts';
import { replies } from '#mail/smtp/replies.ts';
import type { Reply } from '#mail/smtp/reply.ts';

/** What a submitted header is: fields, or the beginning of a text that has none; or a reply that refuses it. */
export type SubmittedHeader =
  | {
      readonly outcome: 'fields';
      /** The header without the fields that are private. */
      readonly header: Header;
      /** The fields' octets as they came. */
      readonly bytes: Buffer;
      /** The empty line behind them; empty if the message ends without one. */
      readonly end: Buffer;
    }
  | { readonly outcome: 'text' }
  | { readonly outcome: 'refused'; readonly reply: Reply };

const maxFields = 1_000; // no program that writes mail comes near; those that read it stop at some number
// biome-ignore lint/suspicious/noControlCharactersInRegex: they have no place in a header; TAB, CR and LF are told apart below.
const control = /[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]/;

/** Reads a header with its final empty line, if it has one. Lines must end in CRLF. */
export function readSubmittedHeader(bytes: Buffer): SubmittedHeader {
  const header = readHeader(bytes);
  const text = bytes.toString('latin1', 0, header.bodyOffset);
  if (text.includes('\0')) return refused(replies.nulInHeader); // `Fr\0om:` is a From field at a host that drops NUL
  if (/\r(?!\n)|(?<!\r)\n/.test(text)) return refused(replies.bareLineFeed);
  if (control.test(text)) return refused(replies.headerUnreadable('it has control characters'));
  const hasFields = header.fields.some(({ name }) => !name.startsWith('>'));
  if (!hasFields && !/^[ \t]/.test(text) && header.fieldsEnd > 0) return { outcome: 'text' };
  if (bytes.length === 0) return { outcome: 'text' };
  const reply = whyRefused(header, bytes);
  if (reply !== null) return refused(reply);
  const kept = header.fields.filter(({ name }) => !isPrivateName(name));
  const isWhole = kept.length === header.fields.length;
  return {
    outcome: 'fields',
    header: { ...header, fields: kept },
    bytes: isWhole ? bytes.subarray(0, header.fieldsEnd) : Buffer.concat(kept.map(({ raw }) => raw)),
    end: bytes.subarray(header.fieldsEnd),
  };
}

/** The reply that says what programs may read in more than one way, or null. */
function whyRefused({ fields, fieldsEnd, problems }: Header, bytes: Buffer): Reply | null {
  let end = 0;
  for (const [index, field] of fields.entries()) {
    const isField = field.offset === end && !field.name.startsWith('>'); // `>From:` is a From field to who takes mailbox files apart
    if (!isField) return noField(bytes, end);
    const reply = isAuthorName(field.name) ? whyUnclear(field, fields.slice(0, index)) : null;
    if (reply !== null) return reply;
    end = field.offset + field.bytes;
  }
  if (end < fieldsEnd) return noField(bytes, end);
  if (fields.length > maxFields) return replies.tooManyFields(maxFields);
  const [problem] = problems;
  return problem === undefined ? null : replies.headerUnreadable(problem.detail);
}

function noField(bytes: Buffer, at: number): Reply {
  if (bytes[at] === 0x20 || bytes[at] === 0x09) return replies.headerUnreadable('its first line begins with a blank');
  const [line = ''] = bytes.toString('latin1', at, at + 200).split('\r\n');
  return replies.headerUnreadable(`a line is no field: ${JSON.stringify(line.trim().slice(0, 40))}`);
}

/** Some programs take it for an author field and some do not, or read it to its end or not: it might show somebody else. */
function whyUnclear({ name, raw }: HeaderField, before: readonly HeaderField[]): Reply | null {
  const text = Buffer.from(raw).toString('latin1');
  if (/\r\n[ \t]+(?:\r\n|$)/.test(text)) return replies.authorUnreadable(name, 'it has an empty line');
  if (text.charAt(name.length) === ':') return null;
  const isSecond = before.some((field) => field.name.toLowerCase() === name.toLowerCase());
  return isSecond
    ? replies.headerUnreadable(`it has two ${name} fields`)
    : replies.authorUnreadable(name, 'a blank stands behind its name');
}

function refused(reply: Reply): SubmittedHeader {
  return { outcome: 'refused', reply };
}
