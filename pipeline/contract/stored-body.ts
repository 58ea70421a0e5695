// The body of a stored object: read whole if it is small; and the fault of one whose bytes cannot be given as they were stored:
// the row is there, its file is gone, cut short, altered or not readable. That is no "not found": the object was acknowledged,
// and only a backup has it now.

/** All pieces as one, without a copy if there is but one. The caller bounds the size, or knows that it is bounded. */
export async function readBody(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  const [first] = pieces;
  return pieces.length === 1 && first !== undefined
    ? Buffer.from(first.buffer, first.byteOffset, first.length)
    : Buffer.concat(pieces);
}

/** `missing`: there is no such file. `altered`: its length or its SHA-256 is another. `unreadable`: the system says no. */
export type Damage = 'missing' | 'altered' | 'unreadable';

/** Thrown by a store's `get`, or while its body is read; `key` names the object, the message says what happened to which file. */
export type DamagedBody = Error & { readonly key: string; readonly damage: Damage };

const damagedName = 'DamagedBody';

/** Makes one; `what` goes on after "the stored body of KEY": `is gone: there is no file …`. */
export function damagedBody(key: string, damage: Damage, what: string): DamagedBody {
  return Object.assign(new Error(`the stored body of ${key} ${what}`), { name: damagedName, key, damage });
}

/** Says whether a thrown value is that fault. */
export function isDamagedBody(thrown: unknown): thrown is DamagedBody {
  return thrown instanceof Error && thrown.name === damagedName && 'damage' in thrown;
}
