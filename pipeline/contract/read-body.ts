// Stored bodies come in pieces; what is small is read whole.

/** All pieces as one, without a copy where there is but one. The caller bounds the size, or knows that it is bounded. */
export async function readBody(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  const [first] = pieces;
  return pieces.length === 1 && first !== undefined
    ? Buffer.from(first.buffer, first.byteOffset, first.length)
    : Buffer.concat(pieces);
}
