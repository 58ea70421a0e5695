// Who a reader may take for the author of a message that we send on for a user: all addresses of an author field (From,
// Sender and the like, RFC 5322 §3.6.2), those that only its display names and comments hold among them. Reads the
// grammar that senders must write (§3.4) and nothing of the obsolete one (§4.4): programs disagree about that, and
// where one sees the sender, another sees a second author.

import { unquoted } from '#mail/header/comments.ts';
import { isProblem, type Problem, problem } from '#mail/problem.ts';
import { type EmailAddress, parseAddress } from './address.ts';
import { type ListEntry, parseAddressList, whyUnclear } from './address-list.ts';
import type { Token } from './lex-addresses.ts';
import { readingsOf } from './shown-words.ts';

/** The addresses that mail goes back to, and those that display names and comments show besides. */
export type ShownAuthors = { readonly mailboxes: readonly EmailAddress[]; readonly named: readonly EmailAddress[] };

const limits = { entries: 100, chars: 65_536 };
const notAList = problem('it is not a list of addresses');

/** Reads the unfolded value of an author field; a Problem if it can be read in more than one way, or not at all. */
export function readShownAuthors(text: string): ShownAuthors | Problem {
  if (text.length > limits.chars) return problem('it is too long');
  const { entries, isCut, hasObsoleteForm } = parseAddressList(text, limits);
  if (isCut) return problem(`it has more than ${limits.entries} authors`);
  if (hasObsoleteForm) return notAList;
  const mailboxes: EmailAddress[] = [];
  const named: EmailAddress[] = [];
  for (const entry of entries) {
    const { tokens } = entry;
    const mailbox = mailboxOf(entry);
    if (isProblem(mailbox)) return mailbox;
    const others = addressesIn(shownBy(tokens));
    if (isProblem(others)) return others;
    const hasNested = tokens.some(({ kind, text }) => kind === 'c' && text.indexOf('(', 1) > 0);
    // Some programs drop the parentheses within a comment, some what they hold: what stands around it grows together.
    if (hasNested && others.length > 0) return problem('a comment with an address in it has another one within');
    mailboxes.push(mailbox);
    named.push(...others);
  }
  return { mailboxes, named };
}

const nameAndAddress = /^[scwq]*<[wq]@[wl]>[sc]*$/;
/** Many programs set the address before itself, unquoted: whichever of the two is read, both are looked at. */
const addressTwice = /^s*w@ws*<[wq]@[wl]>[sc]*$/;
const bareAddress = /^[sc]*[wq]@[wl][sc]*$/;

/** The one address of an entry; a Problem if it holds anything but itself, or could be decoded into something else. */
function mailboxOf({ tokens, written }: ListEntry): EmailAddress | Problem {
  const address = parseAddress(written);
  const form = tokens.map(({ kind }) => kind).join('');
  const isMailbox = [nameAndAddress, addressTwice, bareAddress].some((pattern) => pattern.test(form));
  if (isProblem(address) || !isMailbox) return notAList;
  const unclear = whyUnclear(written, address);
  return unclear === null ? address : problem(unclear);
}

/**
 * What a reader shows of an entry beside its address: display name and comments, quotes and backslashes taken off. Some programs show
 * both, some one of them, and then what stood on either side of a comment stands together.
 */
function shownBy(entry: readonly Token[]): readonly string[] {
  const open = entry.findIndex(({ kind }) => kind === '<');
  const shown = (kinds: string): string =>
    entry
      .map(({ kind, text }, index) => {
        if (kind === 's') return ' ';
        if (!kinds.includes(kind)) return '';
        if (kind === 'c') return ` ${unquoted(text)} `;
        if (index >= open) return ''; // the address; without brackets there is no name
        return kind === 'q' ? unquoted(text) : text;
      })
      .join('');
  return entry.some(({ kind }) => kind === 'c') ? [shown('cqw@'), shown('qw@'), shown('c')] : [shown('qw@')];
}

/** All that looks like an address in some texts; a Problem where it cannot be told. Programs decode where they should not, too. */
function addressesIn(texts: readonly string[]): readonly EmailAddress[] | Problem {
  const addresses: EmailAddress[] = [];
  for (const text of texts) {
    const readings = readingsOf(text);
    if (isProblem(readings)) return readings;
    for (const reading of readings) {
      const found = addressesWithin(reading);
      if (isProblem(found)) return found;
      addresses.push(...found);
    }
  }
  return addresses;
}

function addressesWithin(text: string): readonly EmailAddress[] | Problem {
  const addresses: EmailAddress[] = [];
  const plain = text.normalize('NFKC').replace(/\p{Cf}/gu, '');
  for (let at = plain.indexOf('@'); at >= 0; at = plain.indexOf('@', at + 1)) {
    const { local, domain, isApart, behind } = around(plain, at);
    if (/^[\s()"]+\.\S/.test(behind)) return problem('its display name looks like an address'); // blanks may part a domain (§4.4)
    // "Ann @ Acme" and "@ann" are names; with a dot behind the sign it reads as an address.
    if ((isApart || local === '') && !domain.includes('.')) continue;
    const isShort = local.length + domain.length <= maxShownChars;
    const address = isShort ? parseAddress(`${withoutQuotes(local)}@${withoutQuotes(domain)}`) : tooLong;
    if (isProblem(address)) return problem('its display name looks like an address');
    addresses.push(address);
  }
  return addresses;
}

const maxShownChars = 1_000;
const tooLong = problem('it is too long');
const blank = /[ \t]/;
const delimiter = /[ \t\r\n"(),:;<>[\]\\@]/;

/** What stands before and behind an @, blanks next to it passed over (`isApart`). Each character is looked at twice at most. */
function around(
  text: string,
  at: number,
): { readonly local: string; readonly domain: string; readonly isApart: boolean; readonly behind: string } {
  let [end, start] = [at, at + 1];
  while (blank.test(text.charAt(end - 1))) end--;
  while (blank.test(text.charAt(start))) start++;
  let [from, to] = [end, start];
  while (from > 0 && !delimiter.test(text.charAt(from - 1))) from--;
  while (to < text.length && !delimiter.test(text.charAt(to))) to++;
  const isApart = end < at || start > at + 1;
  return { local: text.slice(from, end), domain: text.slice(start, to), isApart, behind: text.slice(to, to + 100) };
}

/** People set addresses in quotes of all kinds, and end sentences with them. */
function withoutQuotes(text: string): string {
  return text.replace(/^['`*\u2018-\u201f\u00ab\u00bb]+|['`*.!?\u2018-\u201f\u00ab\u00bb]+$/gu, '');
}
