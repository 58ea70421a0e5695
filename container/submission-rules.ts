// What a user may send as, and what a submitted message is given where it lacks it (RFC 6409 §6.1, §8).
import { type EmailAddress, mailboxName, parseDomain } from '#mail/address.ts';
import { addressesOfFrom, parseAddressList } from '#mail/from-addresses.ts';
import { fieldsNamed, fieldText, type HeaderField, splitHeader } from '#mail/header-fields.ts';
import { missingFields } from '#mail/message-headers.ts';
import { isProblem } from '#mail/problem.ts';
import { type Reply, replies } from '#mail/replies.ts';

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

/** What becomes of a submitted message, judged by its header. `prepend` goes before its first byte; it may be empty. */
export type SubmissionVerdict =
  | { readonly outcome: 'accepted'; readonly prepend: string }
  | { readonly outcome: 'refused'; readonly reply: Reply };

/** Judges a header (with its final empty line, where it has one). */
export function judgeSubmission(
  header: Uint8Array,
  facts: {
    readonly mayFrom: readonly string[];
    readonly reversePath: string;
    readonly id: string;
    readonly hostname: string;
    readonly nowMs: number;
  },
): SubmissionVerdict {
  const { fields, bodyOffset } = splitHeader(header);
  // `Fr\0om:` is no From field here, and one at a host that drops NUL octets.
  if (header.subarray(0, bodyOffset).includes(0)) return refused(replies.nulInHeader);
  const from = addressesOfFrom(fields);
  if (from.fieldCount > 1) return refused(replies.fromMissing);
  if (from.fieldCount === 1 && from.addresses.length === 0 && from.unreadable.length === 0) {
    return refused(replies.fromMissing);
  }
  if (from.fieldCount === 0 && facts.reversePath === '') return refused(replies.fromMissing);
  const sender = sendersOf(fields);
  const isReadable = from.unreadable.length === 0 && sender.unreadable.length === 0;
  const isAllowed = [...from.addresses, ...sender.addresses].every((address) => mayWriteAs(facts.mayFrom, address));
  if (!isReadable || !isAllowed) return refused(replies.fromNotAllowed);
  const added = `${missingFields(fields, facts)}${from.fieldCount === 0 ? `From: <${facts.reversePath}>\r\n` : ''}`;
  // Text without a header: an empty line parts it from the one that it is given.
  const isAllBody = fields.length === 0 && !startsWithEmptyLine(header);
  return { outcome: 'accepted', prepend: isAllBody ? `${added}\r\n` : added };
}

function sendersOf(fields: readonly HeaderField[]): ReturnType<typeof parseAddressList> {
  return parseAddressList(fieldsNamed(fields, 'sender').map(fieldText).join(', '));
}

function startsWithEmptyLine(header: Uint8Array): boolean {
  return header[0] === 0x0a || (header[0] === 0x0d && header[1] === 0x0a);
}

function refused(reply: Reply): SubmissionVerdict {
  return { outcome: 'refused', reply };
}
