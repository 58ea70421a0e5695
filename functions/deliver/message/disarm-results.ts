// RFC 8601 §5: a verdict that claims to be ours, in mail that came from elsewhere, must not leave as ours: who trusts us would
// believe it. It leaves under another name of the same length; we write no such fields ourselves.
import { claimsToJudge, verdictField } from '#mail/header/authserv-id.ts';
import { seemingName } from '#mail/header/field-name.ts';
import { fieldText, type HeaderField } from '#mail/header/header-fields.ts';

/** Of so many octets of verdicts it is asked whose they are; no honest message has more, and the others must not leave either. */
const maxJudgedBytes = 1_048_576;

/**
 * Takes the verdicts of a header, and its lines that are no fields (with the name ''), from the top; `forged` are the offsets of those
 * that must not leave under their name. A line may read like a field to some programs, and to others like a fold of the one above it.
 */
export function createVerdictCheck(hostname: string): {
  readonly push: (field: HeaderField) => void;
  readonly forged: readonly number[];
} {
  const forged: number[] = [];
  let judgedBytes = 0;
  let last = { offset: -1, end: -1 };
  return {
    forged,
    push(field) {
      const { offset, bytes, raw } = field;
      const name = field.name || seemingName(Buffer.from(raw));
      if (!verdictField.test(name)) {
        if (offset === last.end && forged.at(-1) !== last.offset) forged.push(last.offset);
        return;
      }
      judgedBytes += bytes;
      const mayClaimMore = bytes > raw.length || judgedBytes > maxJudgedBytes;
      if (mayClaimMore || claimsToJudge({ name, value: fieldText(field) }, hostname)) forged.push(offset);
      last = { offset, end: offset + bytes };
    },
  };
}

/**
 * Renames the fields that begin at these octets of the message, in rising order, to `X-thentication-Results` and the like. The
 * pieces of the message are to be passed in order, from its first octet on.
 */
export function createDisarmer(forged: readonly number[]): (piece: Uint8Array) => Uint8Array {
  const octets = forged.flatMap((start) => [
    { at: start, octet: 0x58 },
    { at: start + 1, octet: 0x2d },
  ]);
  let position = 0;
  let next = 0;
  return (piece) => {
    const from = position;
    position += piece.length;
    const first = next;
    while ((octets[next]?.at ?? position) < position) next += 1;
    if (next === first) return piece;
    const copy = Uint8Array.from(piece);
    for (const { at, octet } of octets.slice(first, next)) copy[at - from] = octet;
    return copy;
  };
}
