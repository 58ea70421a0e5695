// The fields of a header, as read-header.ts gives them, and what they say as text (RFC 5322 §2.2, RFC 6532).
import { decodeEightBit } from './decode-text.ts';

/** One field: its name as written, its octets with name, folds and final line end, and where it stands in the message. */
export type HeaderField = {
  readonly name: string;
  /** The beginning of the field if it was cut: then `bytes` is greater than the length. */
  readonly raw: Uint8Array;
  /** Octets from the beginning of the message, and octets of the whole field. */
  readonly offset: number;
  readonly bytes: number;
};

/** All fields of a name (case ignored), in order. */
export function fieldsNamed(fields: readonly HeaderField[], name: string): readonly HeaderField[] {
  const wanted = name.toLowerCase();
  return fields.filter((field) => field.name.toLowerCase() === wanted);
}

/** Says whether there is a field of that name. */
export function hasField(fields: readonly HeaderField[], name: string): boolean {
  return fieldsNamed(fields, name).length > 0;
}

/** A field's octets behind the colon, folds included, without the final line end. */
export function fieldValue({ raw }: Pick<HeaderField, 'raw'>): Uint8Array {
  const isCrlf = raw.at(-1) === 0x0a && raw.at(-2) === 0x0d;
  const isEnded = isCrlf || raw.at(-1) === 0x0a || raw.at(-1) === 0x0d;
  return raw.subarray(raw.indexOf(0x3a) + 1, raw.length - (isCrlf ? 2 : isEnded ? 1 : 0));
}

/** A field's value as text: UTF-8, or windows-1252 if it is not; unfolded. Encoded words stay as they are. */
export function fieldText(field: Pick<HeaderField, 'raw'>): string {
  return unfold(decodeEightBit(fieldValue(field)).text);
}

/** Takes folds out (RFC 5322 §2.2.3): the line breaks go, the white space that follows them stays; none at either end. */
export function unfold(text: string): string {
  const line = text.replace(/[\r\n]+/g, '');
  let [start, end] = [0, line.length];
  while (isBlank(line[start])) start += 1;
  while (end > start && isBlank(line[end - 1])) end -= 1;
  return line.slice(start, end);
}

function isBlank(char: string | undefined): boolean {
  return char === ' ' || char === '\t';
}
