// The bytes of a released message: those that are stored, behind a trace field of ours (RFC 5321 §4.4). What is for its sender alone is
// left out: Bcc fields (RFC 5322 §3.6.3), and in our own Received field the recipient, who may be a blind one.
import { isPrivateName } from '#mail/header/field-name.ts';
import type { Header } from '#mail/header/read-header.ts';

/** Octets of the stored message that are left out: from one offset up to another. In rising order. */
export type LeftOut = readonly { readonly from: number; readonly to: number }[];

/** Null if the header was not read to its end: there may be more that is private. */
export function leftOutOf({ fields, problems }: Pick<Header, 'fields' | 'problems'>, id: string): LeftOut | null {
  if (problems.some(({ code }) => code === 'header-too-large')) return null;
  return fields.flatMap(({ name, raw, offset, bytes }) => {
    if (isPrivateName(name)) return [{ from: offset, to: offset + bytes }];
    const clause = offset === 0 && /^received$/i.test(name) ? recipientClause(raw, id) : null;
    return clause === null ? [] : [clause];
  });
}

/** Where our Received field says whom the message was for (mail/header/received-field.ts writes it last, before the date). */
function recipientClause(raw: Uint8Array, id: string): LeftOut[number] | null {
  const text = Buffer.from(raw).toString('latin1');
  if (!text.includes(`id ${id}`)) return null;
  const clause = /(?:\r\n)? for <[^\r\n]*>(?=;)/.exec(text);
  return clause === null ? null : { from: clause.index, to: clause.index + clause[0].length };
}

/** The message from its first octet on, without these octets, behind `before`. */
export async function* copyWithout(
  body: AsyncIterable<Uint8Array>,
  leftOut: LeftOut,
  before: Uint8Array,
): AsyncGenerator<Uint8Array> {
  yield before;
  let position = 0;
  for await (const chunk of body) {
    const end = position + chunk.length;
    let at = position;
    for (const { from, to } of leftOut) {
      if (to <= at || from >= end) continue;
      if (from > at) yield chunk.subarray(at - position, from - position);
      at = Math.min(to, end);
    }
    if (at < end) yield chunk.subarray(at - position);
    position = end;
  }
}
