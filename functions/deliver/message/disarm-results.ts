// RFC 8601 §5: Authentication-Results that claim to be ours, in mail that came from elsewhere, must not leave as ours: who
// trusts us would believe them. They leave under another name of the same length; we write no such fields ourselves.
import { claimsToJudge } from '#mail/header/authserv-id.ts';
import { fieldText, type HeaderField } from '#mail/header/header-fields.ts';

const otherName = Buffer.from('X-');

/** Where in a message such fields begin; `header` is what its fields were split off, from the message's first octet on. */
export function forgedResults(fields: readonly HeaderField[], header: Uint8Array, hostname: string): readonly number[] {
  return fields
    .filter((field) => claimsToJudge({ name: field.name, value: fieldText(field) }, hostname))
    .map(({ raw }) => raw.byteOffset - header.byteOffset);
}

/** A piece of the message, `at` octets from its beginning, with those fields renamed: `X-thentication-Results`. */
export function disarmed(piece: Uint8Array, at: number, forged: readonly number[]): Uint8Array {
  const here = forged.flatMap((start) => [...otherName].map((byte, n) => ({ byte, index: start + n - at })));
  const wanted = here.filter(({ index }) => index >= 0 && index < piece.length);
  if (wanted.length === 0) return piece;
  const copy = Uint8Array.from(piece);
  for (const { byte, index } of wanted) copy[index] = byte;
  return copy;
}
