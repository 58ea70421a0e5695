// What a job says of a message's bytes, found by reading all of them.
import { createHash } from 'node:crypto';

/** `sha256`: lower-case hex. `hasHighBytes`: some are beyond ASCII. */
export type BodyDigest = { readonly bytes: number; readonly sha256: string; readonly hasHighBytes: boolean };

/** `write` gets the bytes, too. */
export async function digestBody(
  body: AsyncIterable<Uint8Array>,
  write?: (chunk: Uint8Array) => Promise<void> | undefined,
): Promise<BodyDigest> {
  const hash = createHash('sha256');
  let [bytes, hasHighBytes] = [0, false];
  for await (const chunk of body) {
    hash.update(chunk);
    bytes += chunk.length;
    hasHighBytes ||= chunk.some((byte) => byte > 0x7f);
    await write?.(Uint8Array.from(chunk));
  }
  return { bytes, sha256: hash.digest('hex'), hasHighBytes };
}

/** The body type to declare: what was declared, and never seven bits for what has eight. */
export function bodyTypeOf<Type extends string>(declared: Type, { hasHighBytes }: Pick<BodyDigest, 'hasHighBytes'>) {
  return hasHighBytes && declared === '7bit' ? '8bitmime' : declared;
}
