// From the stored message to what goes over the wire: line endings made CRLF, signed, dots stuffed (RFC 5321 §4.5.2), in
// this order, so that what is sent is what was signed, and nothing in a body can end DATA early. Small messages are one
// buffer; large ones are read twice as streams, once for the signature, and never held.

import { signatureFields } from '#mail/dkim/sign-message.ts';
import { hasField } from '#mail/header/header-fields.ts';
import { createLineEndingNormaliser, normaliseLineEndings } from '#mail/smtp/line-endings.ts';
import type { SentMessage } from '#mail/smtp/parameters.ts';
import type { Config } from '#pipeline/config/config.ts';
import { sesRegion } from '#pipeline/config/ses-endpoint.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import type { Clock, ObjectStore, Secrets } from '#pipeline/contract/ports.ts';
import { readBody } from '#pipeline/contract/stored-body.ts';
import { messageLost } from '#pipeline/run/own-fault.ts';
import { createDisarmer } from './disarm-results.ts';
import { createMessageWatch, isAscii, type MessageFacts, type Wanted } from './message-facts.ts';
import { type KeyCache, signingKeys } from './signing-keys.ts';

/** A message ready to be sent. `small`: all of it, dots stuffed, final dot included; `large`: the same as a stream. */
export type OutgoingMessage = SentMessage & {
  readonly content:
    | { readonly kind: 'small'; readonly bytes: Uint8Array }
    | { readonly kind: 'large'; readonly open: () => AsyncIterable<Uint8Array> };
};

export type PrepareDeps = {
  readonly store: Pick<ObjectStore, 'get'>;
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly keys: KeyCache;
};

const smallBytes = 262_144;
const LF = 0x0a;
const DOT = 0x2e;
const end = Buffer.from('.\r\n');

/** The outgoing message of a job, signed with all keys of its signing domain. Throws where message or key cannot be read. */
export async function prepareOutgoingMessage(
  deps: PrepareDeps,
  config: Config,
  job: DeliverJob,
): Promise<OutgoingMessage> {
  const keys = await signingKeys(deps, config, job.signingDomain);
  const stored = await deps.store.get(job.raw.key);
  if (stored === null) throw messageLost(job.raw.key);
  const { envelope } = job;
  const isBinary = envelope.bodyType === 'binarymime';
  const isLarge = stored.bytes > smallBytes;
  const wanted = { hostname: config.hostname, isSigned: keys.length > 0, isBinary };
  const facts = await (isLarge ? readLarge(stored.body, wanted) : readSmall(stored.body, wanted));
  const domain = job.signingDomain ?? '';
  const isSigned = keys.length > 0 && hasField(facts.fields, 'from');
  const rewritten = rewrittenBy(config);
  const prefix = Buffer.from(
    isSigned ? await signatureFields({ ...facts, domain, rewritten }, keys, deps.clock()) : '',
  );
  const paths = [envelope.reversePath, ...envelope.recipients.map(({ forwardPath }) => forwardPath)];
  const needsUtf8 = envelope.smtpUtf8 && (!facts.hasAsciiHeader || !isAscii(Buffer.from(paths.join())));
  return {
    // Some clients declare all they send as binary: what is lines all the same goes out as such (RFC 3030 §3).
    envelope: isBinary && facts.isLines ? { ...envelope, bodyType: '8bitmime' } : envelope,
    bytes: prefix.length + (facts.small?.length ?? stored.bytes),
    content:
      facts.small === null
        ? { kind: 'large', open: () => openLarge(deps, job.raw.key, { prefix, forged: facts.forged }) }
        : { kind: 'small', bytes: Buffer.concat([prefix, stuffDots(facts.small, true), end]) },
    needsUtf8,
  };
}

/** SES puts a Date and a Message-ID of its own in the place of the author's (SES Developer Guide, "Amazon SES header fields"). */
function rewrittenBy({ delivery: { mode, smarthost } }: Config): readonly string[] {
  const isSes = mode === 'smarthost' && smarthost !== null && sesRegion(smarthost.host) !== null;
  return isSes ? ['date', 'message-id'] : [];
}

type Facts = MessageFacts & {
  /** The whole message, line endings mended, ending in CRLF; null if it is large. */
  readonly small: Uint8Array | null;
};

async function readSmall(body: AsyncIterable<Uint8Array>, wanted: Wanted): Promise<Facts> {
  const bytes = await readBody(body);
  const whole = withFinalLineEnd(normaliseLineEndings(bytes));
  const watch = createMessageWatch(wanted);
  watch.pushStored(bytes);
  watch.push(whole);
  const facts = watch.end();
  return { ...facts, small: createDisarmer(facts.forged)(whole) };
}

/** Reads the header, and the body too if its hash or its form is asked for. */
async function readLarge(body: AsyncIterable<Uint8Array>, wanted: Wanted): Promise<Facts> {
  const normaliser = createLineEndingNormaliser();
  const watch = createMessageWatch(wanted);
  for await (const chunk of body) {
    watch.pushStored(chunk);
    watch.push(normaliser.push(chunk));
    if (watch.hasAll()) break;
  }
  watch.push(normaliser.end());
  return { ...watch.end(), small: null };
}

/** Everything but the final dot may be lost without harm, so it comes in the last chunk, with the message's own end. */
async function* openLarge(
  deps: PrepareDeps,
  key: string,
  { prefix, forged }: { readonly prefix: Uint8Array; readonly forged: readonly number[] },
): AsyncGenerator<Uint8Array> {
  const stored = await deps.store.get(key);
  if (stored === null) throw messageLost(key);
  const normaliser = createLineEndingNormaliser();
  const disarm = createDisarmer(forged);
  let last = LF;
  if (prefix.length > 0) yield prefix;
  for await (const chunk of stored.body) {
    const piece = normaliser.push(chunk);
    if (piece.length === 0) continue;
    yield stuffDots(disarm(piece), last === LF);
    last = piece.at(-1) ?? last;
  }
  const rest = normaliser.end();
  const isEnded = rest.length > 0 || last === LF;
  yield Buffer.concat([rest, isEnded ? Buffer.alloc(0) : Buffer.from('\r\n'), end]);
}

/** Doubles each dot that begins a line. Lines must end in CRLF; the chunk may begin within one. */
export function stuffDots(chunk: Uint8Array, atLineStart: boolean): Uint8Array {
  const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
  const pieces: Uint8Array[] = [];
  let from = 0;
  if (atLineStart && bytes[0] === DOT) pieces.push(Buffer.from('.'));
  for (let at = bytes.indexOf('\n.'); at >= 0; at = bytes.indexOf('\n.', at + 1)) {
    pieces.push(bytes.subarray(from, at + 1), Buffer.from('.'));
    from = at + 1;
  }
  return pieces.length === 0 ? chunk : Buffer.concat([...pieces, bytes.subarray(from)]);
}

function withFinalLineEnd(bytes: Uint8Array): Uint8Array {
  return bytes.at(-1) === LF ? bytes : Buffer.concat([bytes, Buffer.from('\r\n')]);
}
