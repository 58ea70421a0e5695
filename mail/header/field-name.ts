// What stands before the colon of a line in a header: the name of a field, something that some programs take for one, or nothing.
import { decodeEightBit } from './decode-text.ts';

const [SPACE, TAB, COLON] = [0x20, 0x09, 0x3a];
const maxNameBytes = 1_000; // before the colon of a line that may read like an author field
const longestName = 'Resent-Sender '.length;

/** Says whether a name tells who wrote or sent a message (RFC 5322 §3.6.2, §3.6.6, RFC 9057). */
export function isAuthorName(name: string): boolean {
  return /^(?:(?:resent-)?(?:from|sender)|author)$/i.test(name);
}

/** Says whether a field is for the sender alone: who else gets it (RFC 5322 §3.6.3), and what only the last host may write (RFC 5321 §4.4). */
export function isPrivateName(name: string): boolean {
  return /^(?:(?:resent-)?bcc|return-path)$/i.test(name);
}

/** What stands before the colon of a line, blanks aside; or null if that is no name (RFC 5322 §3.6.8). */
export function fieldName(source: Buffer, from: number, to: number): string | null {
  let end = from;
  while (end < to && isNameByte(source[end])) end += 1;
  let colon = end;
  while (colon < to && (source[colon] === SPACE || source[colon] === TAB)) colon += 1;
  return end === from || colon >= to || source[colon] !== COLON ? null : source.toString('latin1', from, end);
}

function isNameByte(byte: number | undefined): boolean {
  return byte !== undefined && byte > SPACE && byte < 0x7f && byte !== COLON;
}

/**
 * Says whether some programs may take a line for an author field: by its name without all that cannot be seen.
 * `isTop`: it is one of the first two lines, where a mailbox file has its `From `.
 */
export function readsLikeAuthor(raw: Buffer, isTop: boolean): boolean {
  const colon = raw.indexOf(COLON);
  if (colon < 0) {
    const start = raw.toString('latin1', 0, longestName);
    const isMailboxLine = isTop && /^>?From /.test(start);
    return !isMailboxLine && isAuthorName(/^\S*/.exec(start)?.[0] ?? '');
  }
  return colon <= maxNameBytes && isAuthorName(seemingName(raw).replace(/^>+/, ''));
}

/** The name that some programs read on a line that is no field: what stands before its colon, without all that cannot be seen. */
export function seemingName(line: Buffer): string {
  const name = decodeEightBit(line.subarray(0, Math.max(0, line.indexOf(COLON)))).text;
  return name.normalize('NFKC').replace(/[^!-~]/g, '');
}
