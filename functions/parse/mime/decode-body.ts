// Decodes the bytes of a text part to text while they come. If a charset cannot be decoded piece by piece, bytes are held up to
// a limit, and decoded in pieces that end with a line.
import { isUtf8 } from 'node:buffer';
import { Transform } from 'node:stream';
import { limits } from '#functions/parse/limits.ts';
import type { ProblemList } from '#functions/parse/problems.ts';
import { switchingDecoder } from '#mail/header/decode-charset.ts';
import { decodeEightBit } from '#mail/header/decode-text.ts';

/** Makes the decoder of a charset, or throws where it is not known. */
export type CharsetDecoders = (charset: string) => Transform;

/** A stream of bytes in, strings out (or bytes of UTF-8); `charset` null or ASCII: guessed. `others` knows what is not here. */
export function createBodyDecoder(charset: string | null, others: CharsetDecoders, problems: ProblemList): Transform {
  if (charset === null || /^(?:us-?)?ascii$/i.test(charset)) return createGuessingDecoder(problems);
  const decode = switchingDecoder(charset);
  if (decode !== null) return createHoldingDecoder(decode);
  if (/^utf-?8$/i.test(charset)) return createUtf8Decoder();
  try {
    return others(charset);
  } catch {
    // Not a charset: it is guessed.
    return createGuessingDecoder(problems);
  }
}

function createUtf8Decoder(): Transform {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return new Transform({
    readableObjectMode: true,
    transform: (chunk: Buffer, _encoding, done) => done(null, decoder.decode(chunk, { stream: true })),
    flush: (done) => done(null, decoder.decode()),
  });
}

/** UTF-8 where all that could be held is that, else windows-1252, which most such texts are in. */
function createGuessingDecoder(problems: ProblemList): Transform {
  let isGuessed = false;
  return createHoldingDecoder((bytes) => {
    if (isUtf8(bytes)) return Buffer.from(bytes).toString('utf8');
    if (!isGuessed) {
      isGuessed = true;
      problems.add('undecodable-text', 'a body names no known charset and is not UTF-8: it was read as windows-1252');
    }
    return decodeEightBit(bytes).text;
  });
}

/** Holds what comes; past the limit it is decoded up to the last line end in it, or where there is none, to the last character of UTF-8. */
function createHoldingDecoder(decode: (bytes: Buffer) => string): Transform {
  let held: Buffer[] = [];
  let heldBytes = 0;
  return new Transform({
    readableObjectMode: true,
    transform: (chunk: Buffer, _encoding, done) => {
      held.push(chunk);
      heldBytes += chunk.length;
      if (heldBytes < limits.heldTextBytes) return done();
      const all = Buffer.concat(held);
      const end = all.lastIndexOf(0x0a) + 1 || all.findLastIndex((byte) => (byte & 0xc0) !== 0x80) || all.length;
      held = [all.subarray(end)];
      heldBytes = all.length - end;
      done(null, decode(all.subarray(0, end)));
    },
    flush: (done) => done(null, decode(Buffer.concat(held))),
  });
}
