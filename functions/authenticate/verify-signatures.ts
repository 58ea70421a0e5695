// DKIM and ARC by mailauth, held to bounds that mailauth does not know: how many signatures, how big a header. Whatever
// it throws because of a message becomes a value here; only a failing store is a throw.
import { Readable } from 'node:stream';
import type { ARCData, ARCResult, ARCSigningData, DKIMResult, DNSResolver } from 'mailauth';
import { arc } from 'mailauth/lib/arc/index.js';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { keptHeaderBytes, type OpenMessage } from './open-message.ts';
import type { ScannedField } from './scan-header.ts';

/** Signatures looked at; a message with more is not honest (RFC 6376 §8.4 asks for such a limit). */
export const maxSignatures = 10;

const maxSignatureBytes = 8_192;
const maxFromBytes = 32_768;
const maxHeaderLines = 10_000;

/** What verifying found. `unverified`: the message was not given to the verifier, or it failed on it; `reason` says why. */
export type Signatures =
  | {
      readonly outcome: 'verified';
      readonly dkim: readonly DKIMResult[];
      readonly arc: ARCResult | null;
      /** The addresses of all From fields, and how many such fields there are. */
      readonly from: { readonly addresses: readonly string[]; readonly fields: number };
    }
  | { readonly outcome: 'unverified'; readonly result: 'policy' | 'permerror'; readonly reason: string };

export type VerifyOptions = { readonly resolver: DNSResolver; readonly now: Date };

/** Verifies the first ten DKIM signatures and the ARC chain. Rejects only where the store does. */
export async function verifySignatures(message: OpenMessage, options: VerifyOptions): Promise<Signatures> {
  const excess = whyNotVerified(message);
  if (excess !== null) return { outcome: 'unverified', result: 'policy', reason: excess };
  const source = watched(inputOf(message));
  try {
    const dkim = await dkimVerify(Readable.from(source.chunks, { highWaterMark: 2 }), {
      resolver: options.resolver,
      curTime: options.now,
      strict: true,
    });
    const chain = isArcData(dkim.arc) ? await arc(dkim.arc, { resolver: options.resolver, strict: true }) : null;
    const from = { addresses: dkim.headerFrom, fields: dkim.fromFields };
    return { outcome: 'verified', dkim: dkim.results, arc: chain, from };
  } catch (error) {
    const failure = source.failure();
    if (failure !== null) throw failure;
    const text = error instanceof Error ? error.message : String(error);
    return { outcome: 'unverified', result: 'permerror', reason: `the signatures cannot be evaluated: ${text}` };
  }
}

/** The DKIM-Signature fields, top to bottom. */
export function signatureFields(message: Pick<OpenMessage, 'scanned'>): readonly ScannedField[] {
  return message.scanned.fields.filter(({ name }) => name === 'dkim-signature');
}

/** What the DKIM verifier gathers of the chain is what `arc` takes, although mailauth's types tell the two apart. */
function isArcData(data: ARCSigningData | undefined): data is ARCSigningData & ARCData {
  return data !== undefined;
}

function whyNotVerified({ scanned, header }: OpenMessage): string | null {
  if (scanned.bytes > keptHeaderBytes) {
    return `the header is ${scanned.bytes} bytes long, more than the ${keptHeaderBytes} that are looked at`;
  }
  if (scanned.lines > maxHeaderLines) return `the header has ${scanned.lines} lines, more than ${maxHeaderLines}`;
  const oversize = scanned.fields.find(
    ({ name, bytes }) => bytes > (name === 'from' ? maxFromBytes : maxSignatureBytes),
  );
  if (oversize !== undefined) return `its field ${oversize.name} is ${oversize.bytes} bytes long`;
  return header.length === 0 ? 'the message has no header' : null;
}

/** What the verifier reads: signatures past the tenth under a name it does not know, the body only where one needs it. */
async function* inputOf(message: OpenMessage): AsyncGenerator<Uint8Array> {
  const header = Buffer.from(message.header);
  for (const { offset } of signatureFields(message).slice(maxSignatures)) header.write('X', offset, 'latin1');
  const isSigned = message.scanned.fields.some(({ name }) => name !== 'from');
  let last = 0;
  for await (const chunk of isSigned ? both(header, message.body) : both(header, [])) {
    yield withWholeLineEnds(chunk, last);
    last = chunk.at(-1) ?? last;
  }
}

async function* both(
  first: Uint8Array,
  rest: AsyncIterable<Uint8Array> | readonly Uint8Array[],
): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

/** CRLF for every bare LF: signers saw it so, and mailauth would do it one line at a time. `last` is the byte before. */
function withWholeLineEnds(chunk: Uint8Array, last: number): Uint8Array {
  const hasBare = (): boolean => {
    for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, at + 1)) {
      if ((at === 0 ? last : chunk[at - 1]) !== 0x0d) return true;
    }
    return false;
  };
  if (!hasBare()) return chunk;
  const text = Buffer.from(chunk).toString('latin1');
  const [head, tail] = last === 0x0d && text.startsWith('\n') ? ['\n', text.slice(1)] : ['', text];
  return Buffer.from(head + tail.replace(/(?<!\r)\n/g, '\r\n'), 'latin1');
}

/** Passes chunks on, and remembers if it was their source that failed. */
function watched(source: AsyncIterable<Uint8Array>): {
  readonly chunks: AsyncGenerator<Uint8Array>;
  readonly failure: () => Error | null;
} {
  let failure: Error | null = null;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      yield* source;
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
      throw error;
    }
  }
  return { chunks: chunks(), failure: () => failure };
}
