// From the stored message to what goes over the wire: line endings made CRLF, signed, dots stuffed (RFC 5321 §4.5.2), in
// this order, so that what is sent is what was signed, and nothing in a body can end DATA early. Small messages are one
// buffer; large ones are read twice as streams, once for the signature, and never held.

import { createPrivateKey } from 'node:crypto';
import type { HeaderField } from '#mail/header/header-fields.ts';
import { findHeaderEnd, splitHeader } from '#mail/header/split-header.ts';
import { isProblem, type Problem, problem } from '#mail/problem.ts';
import { createLineEndingCheck, createLineEndingNormaliser, normaliseLineEndings } from '#mail/smtp/line-endings.ts';
import type { SentMessage } from '#mail/smtp/parameters.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import type { Clock, ObjectStore, Secrets } from '#pipeline/contract/ports.ts';
import { readBody } from '#pipeline/contract/stored-body.ts';
import { messageLost, ownFault } from '#pipeline/run/own-fault.ts';
import { disarmed, forgedResults } from './disarm-results.ts';
import { createBodyHash, type SigningKey, signatureFields } from './dkim-signature.ts';

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

/** Parsed private keys by reference: reading and parsing one costs more than signing with it. */
export type KeyCache = Map<string, { readonly key: Promise<SigningKey['key']>; readonly readAt: number }>;

const smallBytes = 262_144;
const maxHeaderBytes = 1_048_576;
const maxLineBytes = 998;
const keyCacheMs = 300_000;
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
  const facts =
    stored.bytes <= smallBytes
      ? await prepareSmall(stored.body, config.hostname)
      : await readLarge(stored.body, { hostname: config.hostname, isBodyNeeded: keys.length > 0 || isBinary });
  const domain = job.signingDomain ?? '';
  const isSigned = keys.length > 0 && facts.fields.some(({ name }) => name.toLowerCase() === 'from');
  const prefix = Buffer.from(
    isSigned ? await signatureFields({ ...facts, domain, bodyHash: facts.bodyHash() }, keys, deps.clock()) : '',
  );
  const paths = [envelope.reversePath, ...envelope.recipients.map(({ forwardPath }) => forwardPath)];
  const needsUtf8 = envelope.smtpUtf8 && (!facts.hasAsciiHeader || !isAscii(paths.join()));
  return {
    // Some clients declare all they send as binary: what is lines all the same goes out as such (RFC 3030 §3).
    envelope: isBinary && facts.isLines() ? { ...envelope, bodyType: '8bitmime' } : envelope,
    bytes: prefix.length + (facts.small?.length ?? stored.bytes),
    content:
      facts.small === null
        ? { kind: 'large', open: () => openLarge(deps, job.raw.key, { prefix, forged: facts.forged }) }
        : { kind: 'small', bytes: Buffer.concat([prefix, stuffDots(facts.small, true), end]) },
    needsUtf8,
  };
}

type Facts = {
  readonly fields: readonly HeaderField[];
  readonly hasAsciiHeader: boolean;
  /** Where fields begin that must not leave under their name. */
  readonly forged: readonly number[];
  /** The relaxed body hash, base64. */
  readonly bodyHash: () => string;
  /** Whether it is made of lines: no NUL, no bare CR or LF, none too long to travel. */
  readonly isLines: () => boolean;
  /** The whole message, line endings mended, ending in CRLF; null where it is large. */
  readonly small: Uint8Array | null;
};

async function prepareSmall(body: AsyncIterable<Uint8Array>, hostname: string): Promise<Facts> {
  const bytes = await readBody(body);
  const whole = withFinalLineEnd(normaliseLineEndings(bytes));
  const { fields, bodyOffset } = splitHeader(whole);
  const forged = forgedResults(fields, whole, hostname);
  const small = disarmed(whole, 0, forged);
  const bodyHash = (): string => {
    const hash = createBodyHash();
    hash.push(small.subarray(bodyOffset));
    return hash.digest();
  };
  const isLines = (): boolean => {
    const check = createLinesCheck();
    check.push(bytes);
    return check.isLines();
  };
  return { fields, hasAsciiHeader: isAsciiBytes(small.subarray(0, bodyOffset)), forged, bodyHash, isLines, small };
}

/** Reads the header, and the body too where its hash or its form is asked for. */
async function readLarge(
  body: AsyncIterable<Uint8Array>,
  { hostname, isBodyNeeded }: { readonly hostname: string; readonly isBodyNeeded: boolean },
): Promise<Facts> {
  const normaliser = createLineEndingNormaliser();
  const check = createLinesCheck();
  const hash = createBodyHash();
  let head: Buffer | null = Buffer.alloc(0);
  let facts: Pick<Facts, 'fields' | 'hasAsciiHeader' | 'forged'> = { fields: [], hasAsciiHeader: true, forged: [] };
  const take = (piece: Uint8Array, isLast: boolean): void => {
    if (head === null) {
      hash.push(piece);
      return;
    }
    head = Buffer.concat([head, piece]);
    if (!isLast && findHeaderEnd(head) < 0 && head.length < maxHeaderBytes) return;
    const { fields, bodyOffset } = splitHeader(head);
    const hasAsciiHeader = isAsciiBytes(head.subarray(0, bodyOffset));
    facts = { fields, hasAsciiHeader, forged: forgedResults(fields, head, hostname) };
    hash.push(head.subarray(bodyOffset));
    head = null;
  };
  for await (const chunk of body) {
    if (isBodyNeeded) check.push(chunk);
    take(normaliser.push(chunk), false);
    if (head === null && !isBodyNeeded) break;
  }
  take(normaliser.end(), true);
  return { ...facts, bodyHash: hash.digest, isLines: check.isLines, small: null };
}

/** Sees a message pass and tells at its end whether it can travel as lines of at most 998 octets (RFC 5321 §4.5.3.1.6). */
function createLinesCheck(): { readonly push: (chunk: Uint8Array) => void; readonly isLines: () => boolean } {
  const endings = createLineEndingCheck();
  let length = 0;
  let longest = 0;
  return {
    push(chunk) {
      endings.push(chunk);
      let from = 0;
      for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, from)) {
        longest = Math.max(longest, length + at - from - 1);
        length = 0;
        from = at + 1;
      }
      length += chunk.length - from;
      longest = Math.max(longest, length);
    },
    isLines() {
      endings.end();
      return endings.found === null && longest <= maxLineBytes;
    },
  };
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
  let last = LF;
  let position = 0;
  if (prefix.length > 0) yield prefix;
  for await (const chunk of stored.body) {
    const piece = normaliser.push(chunk);
    if (piece.length === 0) continue;
    yield stuffDots(disarmed(piece, position, forged), last === LF);
    position += piece.length;
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

async function signingKeys(deps: PrepareDeps, config: Config, domain: string | null): Promise<SigningKey[]> {
  const keys = Object.entries(config.domains).find(([name]) => name === domain)?.[1].dkim ?? [];
  return Promise.all(
    keys.map(async ({ selector, privateKey }) => ({ selector, key: await readKey(deps, privateKey) })),
  );
}

function readKey({ secrets, clock, keys }: PrepareDeps, reference: string): Promise<SigningKey['key']> {
  const cached = keys.get(reference);
  if (cached !== undefined && clock() - cached.readAt < keyCacheMs) return cached.key;
  const key = parseKey(secrets, reference);
  keys.set(reference, { key, readAt: clock() });
  key.catch(() => keys.delete(reference));
  return key;
}

/** What was read some minutes ago and cannot be used may have been mended since: the newest decides. */
async function parseKey(secrets: Secrets, reference: string): Promise<SigningKey['key']> {
  const known = keyOf(await readSecret(secrets, reference, false));
  if (!isProblem(known)) return known;
  const newest = keyOf(await readSecret(secrets, reference, true));
  if (!isProblem(newest)) return newest;
  throw ownFault('secret', `the DKIM key ${JSON.stringify(reference)} cannot be used: ${newest.problem}`);
}

async function readSecret(secrets: Secrets, reference: string, fresh: boolean): Promise<string> {
  try {
    return await secrets.read(reference, { fresh });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw ownFault('secret', `the DKIM key ${JSON.stringify(reference)} cannot be read: ${why}`, { cause: error });
  }
}

function keyOf(pem: string): SigningKey['key'] | Problem {
  try {
    const key = createPrivateKey(pem);
    const type = key.asymmetricKeyType;
    return type === 'rsa' || type === 'ed25519' ? key : problem(`it is of type ${type}; RSA or Ed25519 is needed`);
  } catch (error) {
    return problem(`it is no private key in PEM (${error instanceof Error ? error.message : String(error)})`);
  }
}

function withFinalLineEnd(bytes: Uint8Array): Uint8Array {
  return bytes.at(-1) === LF ? bytes : Buffer.concat([bytes, Buffer.from('\r\n')]);
}

function isAscii(text: string): boolean {
  return isAsciiBytes(Buffer.from(text));
}

function isAsciiBytes(bytes: Uint8Array): boolean {
  return !bytes.some((byte) => byte > 0x7f);
}
