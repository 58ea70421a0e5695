// What the header of a message says: all fields as they are and as they read, and the well-known ones understood.
// Bounded in what it gives, and the same for the same bytes on every machine.

import { limits } from '#functions/parse/limits.ts';
import { createProblemList, type MessageProblem, type ProblemList } from '#functions/parse/problems.ts';
import type { ParsedHead } from '#functions/parse/worker/worker-messages.ts';
import { listLimits, parseAddressList } from '#mail/address/address-list.ts';
import { authorsOf } from '#mail/address/authors.ts';
import { decodeEightBit, decodeWords } from '#mail/header/decode-text.ts';
import { fieldText, fieldValue, type HeaderField, unfold } from '#mail/header/header-fields.ts';
import type { Header } from '#mail/header/read-header.ts';
import { readDate } from './read-date.ts';

/** The part of the inbox message that comes from the header, and what was wrong with it. */
export type DescribedHead = ParsedHead & { readonly problems: readonly MessageProblem[] };

/** RFC 5322 §3.6: fields that may stand at most once (and those of MIME, RFC 2045 §3). */
const once = [
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'date',
  'subject',
  'message-id',
  'in-reply-to',
  'references',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
];

type Lookup = { readonly first: (name: string) => string | null; readonly all: (name: string) => string[] };

/** Describes a header; what is wrong with it stands first among the problems. */
export function describeHead(header: Header): DescribedHead {
  const { fields } = header;
  const problems = createProblemList();
  for (const { code, detail } of header.problems) problems.add(code, detail);
  for (const doubt of authorsOf(header).doubts) problems.add('author-doubtful', doubt);
  const lookup = indexFields(fields, problems);
  const addresses = addressReader(lookup, problems);
  return {
    headers: listHeaders(fields, problems),
    messageId: readMessageIds(lookup.first('message-id'), 'Message-ID', problems)[0] ?? null,
    date: describeDate(lookup.first('date'), problems),
    subject: describeSubject(lookup.first('subject'), problems),
    from: addresses('from'),
    to: addresses('to'),
    cc: addresses('cc'),
    replyTo: addresses('reply-to'),
    inReplyTo: readMessageIds(lookup.first('in-reply-to'), 'In-Reply-To', problems)[0] ?? null,
    references: describeReferences(lookup.first('references'), problems),
    problems: problems.list(),
  };
}

function indexFields(fields: readonly HeaderField[], problems: ProblemList): Lookup {
  const byName = new Map<string, HeaderField[]>();
  for (const field of fields) {
    const name = field.name.toLowerCase();
    const same = byName.get(name);
    if (same === undefined) byName.set(name, [field]);
    else same.push(field);
  }
  for (const name of once) {
    const count = byName.get(name)?.length ?? 0;
    if (count > 1) problems.add('duplicate-header', `the field ${name} stands ${count} times`);
  }
  if ((byName.get('dkim-signature')?.length ?? 0) > limits.signatures) problems.add('too-many-signatures');
  return {
    first: (name) => {
      const field = byName.get(name)?.[0];
      return field === undefined ? null : fieldText(field);
    },
    all: (name) => (byName.get(name) ?? []).map(fieldText),
  };
}

/** The fields that fit, in order. One that does not fit is left out; smaller ones after it still come. */
function listHeaders(fields: readonly HeaderField[], problems: ProblemList): ParsedHead['headers'] {
  const headers: ParsedHead['headers'] = [];
  let jsonBytes = 0;
  for (const field of fields) {
    const { name } = field;
    const raw = fieldValue(field);
    const room = limits.headersJsonBytes - jsonBytes;
    if (headers.length >= limits.headers || raw.length * 2 > room) {
      problems.add('header-too-large');
      continue;
    }
    const decoded = decodeEightBit(raw);
    if (!decoded.utf8) problems.add('header-not-utf8', `the field ${name} is not UTF-8; it was read as windows-1252`);
    const header = { name, raw: Buffer.from(raw).toString('utf8'), value: decodeWords(unfold(decoded.text)) };
    const size = Buffer.byteLength(JSON.stringify(header)) + 1;
    if (size > room) {
      problems.add('header-too-large');
      continue;
    }
    jsonBytes += size;
    headers.push(header);
  }
  return headers;
}

type AddressField = 'from' | 'to' | 'cc' | 'reply-to';

/** Reads address fields, counting what all of them together give. From counts once (RFC 5322 §3.6), To and Cc add up. */
function addressReader(lookup: Lookup, problems: ProblemList): (name: AddressField) => ParsedHead['from'] {
  let left: number = limits.addresses;
  let leftBytes: number = limits.addressesJsonBytes;
  return (name) => {
    const texts = name === 'to' || name === 'cc' ? lookup.all(name) : lookup.all(name).slice(0, 1);
    const kept: ParsedHead['from'] = [];
    for (const text of texts) {
      const { entries, isCut } = parseAddressList(text, { ...listLimits, entries: left });
      if (isCut) problems.add('too-many-addresses');
      for (const { name: shown, written, group } of entries) {
        const address = {
          name: decodeWords(shown),
          address: written,
          group: group === null ? null : decodeWords(group),
        };
        leftBytes -= Buffer.byteLength(JSON.stringify(address)) + 1;
        if (leftBytes < 0) problems.add('too-many-addresses');
        else kept.push(address);
        if (written === '')
          problems.add('malformed-address', `the field ${name} holds something that is not an address`);
      }
      left -= entries.length;
    }
    return kept;
  };
}

function describeDate(text: string | null, problems: ProblemList): string | null {
  if (text === null) return null;
  const date = readDate(text);
  if (date === null) problems.add('malformed-date', `not a date: ${JSON.stringify(text.slice(0, 100))}`);
  return date;
}

function describeSubject(text: string | null, problems: ProblemList): string | null {
  if (text === null) return null;
  const subject = decodeWords(text);
  if (subject.length <= limits.subjectBytes) return subject;
  problems.add('header-too-large', 'the subject is cut');
  return subject.slice(0, limits.subjectBytes).toWellFormed();
}

/** Message ids as they stand, angle brackets included; words without brackets get them. */
function readMessageIds(text: string | null, name: string, problems: ProblemList): string[] {
  if (text === null) return [];
  const bracketed = text.match(/<[^<>]*>/g);
  const malformed = (): void =>
    problems.add('malformed-message-id', `the field ${name} holds something that is no message id`);
  if (bracketed === null && text !== '') malformed();
  const ids =
    bracketed ??
    text
      .split(/\s+/)
      .filter((word) => word !== '')
      .map((word) => `<${word.replace(/[<>]/g, '')}>`);
  const fitting = ids
    .map((id) => id.replace(/\s+/g, ''))
    .filter((id) => id.length > 2 && id.length <= limits.messageIdBytes);
  if (fitting.length < ids.length) malformed();
  return fitting;
}

/** The last of them are the nearest (RFC 5322 §3.6.4): where there are too many, the first is kept, and the last. */
function describeReferences(text: string | null, problems: ProblemList): string[] {
  const ids = readMessageIds(text, 'References', problems);
  if (ids.length <= limits.references) return ids;
  problems.add('too-many-references');
  return [...ids.slice(0, 1), ...ids.slice(1 - limits.references)];
}
