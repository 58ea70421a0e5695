// RFC 8601 §5: a verdict that claims to be ours, in mail that came from elsewhere, must not leave as ours: who trusts us would
// believe it. It leaves under another name of the same length; we write no such fields ourselves.
import { claimsToJudge } from '#mail/header/authserv-id.ts';
import { fieldText, type HeaderField } from '#mail/header/header-fields.ts';

/** Says whether a field must not leave under its name. One of which only the beginning was kept may claim anything behind it. */
export function isForgedVerdict(field: HeaderField, hostname: string): boolean {
  const isCut = field.bytes > field.raw.length;
  return isCut || claimsToJudge({ name: field.name, value: fieldText(field) }, hostname);
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
