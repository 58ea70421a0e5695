// DKIM and ARC by mailauth, held to bounds that mailauth does not know: how many signatures, how big a header. Whatever
// it throws because of a message becomes a value here; only a failing store is a throw.
import { Readable } from 'node:stream';
import type { ARCData, ARCResult, ARCSigningData, DKIMResult, DNSResolver } from 'mailauth';
import { arc } from 'mailauth/lib/arc/index.js';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { chooseSignatures } from './choose-signatures.ts';
import { keptHeaderBytes, type OpenMessage } from './open-message.ts';
import { keptSignatures } from './scan-header.ts';
import { isUnverifiable, verifierInput } from './verifier-input.ts';

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

/** `now` decides which signatures have expired. */
export type VerifyOptions = { readonly resolver: DNSResolver; readonly now: Date };

/** Verifies the chosen DKIM signatures and the ARC chain. Rejects only where the store does. */
export async function verifySignatures(message: OpenMessage, options: VerifyOptions): Promise<Signatures> {
  const excess = whyNotVerified(message);
  if (excess !== null) return { outcome: 'unverified', result: 'policy', reason: excess };
  const source = watched(message.body);
  const hidden = chooseSignatures(message).others.map(({ field }) => field);
  try {
    const dkim = await dkimVerify(Readable.from(verifierInput(message, hidden, source.chunks), { highWaterMark: 2 }), {
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
    if (isUnverifiable(error)) return { outcome: 'unverified', result: 'policy', reason: error.message };
    const text = error instanceof Error ? error.message : String(error);
    return { outcome: 'unverified', result: 'permerror', reason: `the signatures cannot be evaluated: ${text}` };
  }
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
  if (scanned.fields.filter(({ name }) => name === 'dkim-signature').length >= keptSignatures)
    return `it has ${keptSignatures} signatures or more`;
  const oversize = scanned.fields.find(
    ({ name, bytes }) => bytes > (name === 'from' ? maxFromBytes : maxSignatureBytes),
  );
  if (oversize !== undefined) return `its field ${oversize.name} is ${oversize.bytes} bytes long`;
  return header.length === 0 ? 'the message has no header' : null;
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
