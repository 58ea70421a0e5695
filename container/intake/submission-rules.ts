// What a user may send as, and what a submitted message is given where it lacks it (RFC 6409 §6.1, §8).
import { type EmailAddress, formatAddress, mailboxName, parseDomain } from '#mail/address/address.ts';
import { authorsOf, foldedPieces } from '#mail/address/authors.ts';
import { readShownAuthors } from '#mail/address/shown-authors.ts';
import { isAuthorName } from '#mail/header/field-name.ts';
import { fieldsNamed, fieldText, hasField } from '#mail/header/header-fields.ts';
import { missingFields } from '#mail/header/message-headers.ts';
import { isProblem } from '#mail/problem.ts';
import { replies } from '#mail/smtp/replies.ts';
import type { Reply } from '#mail/smtp/reply.ts';
import { readSubmittedHeader } from './submitted-header.ts';

/**
 * Says whether one of the patterns covers an address. A pattern is an address, or has `*` for any local part, for any
 * domain, or (`*.example.org`) for any domain below one. Case does not matter.
 */
export function mayWriteAs(patterns: readonly string[], address: EmailAddress): boolean {
  const localPart = mailboxName(address.localPart);
  return patterns.some((pattern) => {
    const at = pattern.lastIndexOf('@');
    const name = pattern.slice(0, at);
    const isName = name === '*' || mailboxName(unquoted(name)) === localPart;
    return isName && isDomain(pattern.slice(at + 1), address.domain);
  });
}

function isDomain(pattern: string, domain: string): boolean {
  if (pattern === '*') return true;
  const wanted = parseDomain(pattern.replace(/^\*\./, ''));
  if (isProblem(wanted)) return false;
  return pattern.startsWith('*.') ? domain.endsWith(`.${wanted}`) : domain === wanted;
}

function unquoted(name: string): string {
  return /^".*"$/.test(name) ? name.slice(1, -1).replace(/\\(.)/g, '$1') : name;
}

/** What becomes of a submitted message, judged by its header. `header`: what leaves in its place, what it lacked before it. */
export type SubmissionVerdict =
  | { readonly outcome: 'accepted'; readonly header: Buffer }
  | { readonly outcome: 'refused'; readonly reply: Reply };

/** Judges a header (with its final empty line, where it has one): its octets as they will leave, and who they show. */
export function judgeSubmission(
  header: Buffer,
  facts: {
    readonly mayFrom: readonly string[];
    readonly reversePath: string;
    readonly id: string;
    readonly hostname: string;
    readonly nowMs: number;
  },
): SubmissionVerdict {
  const read = readSubmittedHeader(header);
  if (read.outcome === 'refused') return read;
  const fields = read.outcome === 'text' ? [] : read.header.fields;
  const isFromMissing = !hasField(fields, 'from');
  if (isFromMissing && facts.reversePath === '') return refused(replies.fromMissing);
  const added = `${missingFields(fields, facts)}${isFromMissing ? `From: <${facts.reversePath}>\r\n` : ''}`;
  // Text without a header: an empty line parts it from the one that it is given.
  const leaves =
    read.outcome === 'text'
      ? Buffer.concat([Buffer.from(`${added}\r\n`), header])
      : Buffer.concat([Buffer.from(added), read.bytes, read.end]);
  const reply = judgeAuthors(leaves, facts.mayFrom);
  return reply === null ? { outcome: 'accepted', header: leaves } : refused(reply);
}

/** Why a header must not leave, or null: everybody whom a reader may take for its author has to be covered. */
function judgeAuthors(bytes: Buffer, mayFrom: readonly string[]): Reply | null {
  const submitted = readSubmittedHeader(bytes);
  if (submitted.outcome !== 'fields') return replies.fromMissing;
  const { fields } = submitted.header;
  const { fieldCount, entries } = authorsOf(submitted.header);
  if (fieldCount !== 1) return replies.fromMissing;
  if (fieldsNamed(fields, 'sender').length > 1) return replies.senderTwice;
  for (const field of fields.filter(({ name }) => isAuthorName(name))) {
    const text = fieldText(field);
    const authors = readShownAuthors(text);
    if (isProblem(authors)) {
      return text.includes('@') ? replies.authorUnreadable(field.name, authors.problem) : replies.fromMissing;
    }
    if (authors.named.length > 0 && foldedPieces(field).length > 0) {
      return replies.authorUnreadable(field.name, 'a name in quotes with an address in it goes over two lines');
    }
    const all = [...authors.mailboxes, ...authors.named];
    const stranger = all.find((address) => !mayWriteAs(mayFrom, address));
    if (stranger !== undefined) return replies.fromNotAllowed(field.name, formatAddress(stranger));
  }
  // The later stages read with patience: they must come to the same authors.
  const read = entries.flatMap(({ address, others }) => (address === null ? others : [address, ...others]));
  const isAllowed = read.every((address) => mayWriteAs(mayFrom, address));
  return isAllowed ? null : replies.authorUnreadable('From', 'programs read it in different ways');
}

function refused(reply: Reply): SubmissionVerdict {
  return { outcome: 'refused', reply };
}
