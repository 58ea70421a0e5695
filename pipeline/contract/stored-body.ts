// The body of a stored object: read whole if it is small; and the fault of one that cannot be read as it was stored, since
// its file is missing, cut short, altered or unreadable. That is no "not found": the object was acknowledged, and only a
// backup has it now.
import type { StoredObject } from './ports.ts';

const maxWholeBytes = 67_108_864;

/** All bytes of an object. Throws if it has more than 64 MiB. */
export async function readWhole({ key, bytes, body }: StoredObject): Promise<Buffer> {
  if (bytes > maxWholeBytes) throw new Error(`${key} has ${bytes} bytes: too many to read whole`);
  return readBody(body);
}

/** All pieces as one, without a copy if there is one piece. The size must be bounded already. */
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

/** `what` follows "the stored body of KEY": `is gone: there is no file …`. */
export function damagedBody(key: string, damage: Damage, what: string): DamagedBody {
  return Object.assign(new Error(`the stored body of ${key} ${what}`), { name: damagedName, key, damage });
}

export function isDamagedBody(thrown: unknown): thrown is DamagedBody {
  return thrown instanceof Error && thrown.name === damagedName && 'damage' in thrown;
}
