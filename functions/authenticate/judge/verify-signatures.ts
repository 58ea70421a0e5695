// DKIM and ARC by mailauth, held to bounds that mailauth does not know: how many signatures, how big a header. Whatever
// it throws because of a message becomes a value here; only a failing store is a throw.
import { Readable } from 'node:stream';
import type { ARCData, ARCResult, ARCSigningData, DKIMResult, DNSResolver } from 'mailauth';
import { arc } from 'mailauth/lib/arc/index.js';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import type { SignatureChoice } from '#mail/dkim/choose-signatures.ts';
import { fieldsNamed } from '#mail/header/header-fields.ts';
import { errorMessage } from '#mail/problem.ts';
import type { OpenMessage } from './open-message.ts';
import { isUnverifiable, verifierInput } from './verifier-input.ts';

const maxHeaderBytes = 262_144;
const maxHeaderLines = 10_000;
const maxSignatures = 1_000;
/** Octets of a field that mailauth takes apart. */
const maxFieldBytes: Readonly<Record<string, number>> = {
  from: 32_768,
  'dkim-signature': 8_192,
  'arc-seal': 8_192,
  'arc-message-signature': 8_192,
};

/** What verifying found. `unverified`: the message was not given to the verifier, or it failed on it; `reason` says why. */
export type Signatures =
  | {
      readonly outcome: 'verified';
      readonly dkim: readonly DKIMResult[];
      readonly arc: ARCResult | null;
    }
  | { readonly outcome: 'unverified'; readonly result: 'policy' | 'permerror'; readonly reason: string };

/** A signature has expired if it had when the message was received, however long it waited to be judged (RFC 6376 §3.5, x=). */
export type VerifyOptions = { readonly resolver: DNSResolver; readonly receivedAt: Date };

/** Verifies the chosen DKIM signatures and the ARC chain. Rejects only where the store does. */
export async function verifySignatures(
  message: OpenMessage,
  { others }: SignatureChoice,
  options: VerifyOptions,
): Promise<Signatures> {
  if (!message.header.fields.some(({ name }) => /^(?:dkim-signature$|arc-)/i.test(name))) {
    return { outcome: 'verified', dkim: [], arc: null };
  }
  const excess = whyNotVerified(message);
  if (excess !== null) return { outcome: 'unverified', result: 'policy', reason: excess };
  const source = watched(message.body);
  const hidden = new Set(others.map(({ field }) => field));
  try {
    const dkim = await dkimVerify(Readable.from(verifierInput(message, hidden, source.chunks), { highWaterMark: 2 }), {
      resolver: options.resolver,
      curTime: options.receivedAt,
      strict: true,
    });
    const chain = isArcData(dkim.arc) ? await arc(dkim.arc, { resolver: options.resolver, strict: true }) : null;
    return { outcome: 'verified', dkim: dkim.results, arc: chain };
  } catch (error) {
    const failure = source.failure();
    if (failure !== null) throw failure;
    if (isUnverifiable(error)) return { outcome: 'unverified', result: 'policy', reason: error.message };
    const text = errorMessage(error);
    return { outcome: 'unverified', result: 'permerror', reason: `the signatures cannot be evaluated: ${text}` };
  }
}

/** What the DKIM verifier gathers of the chain is what `arc` takes, although mailauth's types tell the two apart. */
function isArcData(data: ARCSigningData | undefined): data is ARCSigningData & ARCData {
  return data !== undefined;
}

function whyNotVerified({ header: { fields, bodyOffset, lines } }: OpenMessage): string | null {
  if (bodyOffset > maxHeaderBytes) {
    return `the header is ${bodyOffset} bytes long, more than the ${maxHeaderBytes} that are looked at`;
  }
  if (lines > maxHeaderLines) return `the header has ${lines} lines, more than ${maxHeaderLines}`;
  if (fieldsNamed(fields, 'dkim-signature').length >= maxSignatures)
    return `it has ${maxSignatures} signatures or more`;
  const oversize = fields.find(({ name, bytes }) => bytes > (maxFieldBytes[name.toLowerCase()] ?? maxHeaderBytes));
  return oversize === undefined ? null : `its field ${oversize.name} is ${oversize.bytes} bytes long`;
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
