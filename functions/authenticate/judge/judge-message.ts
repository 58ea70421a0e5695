// Gathers and judges: SPF at once, the keys and policies that will be asked for ahead of the body, then signatures,
// then DMARC over what both found. One deadline holds for all DNS questions of the message (design §7).
import { isIP } from 'node:net';
import type { DNSResolver } from 'mailauth';
import { parseDomain } from '#mail/address/address.ts';
import { addressesOfFrom } from '#mail/address/from-addresses.ts';
import { fieldText, type HeaderField } from '#mail/header/header-fields.ts';
import { isProblem } from '#mail/problem.ts';
import type { Authentication, ReceivedJob } from '#pipeline/contract/jobs.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { type RecordingResolve, recordEvidence } from '#pipeline/dns/questions.ts';
import { formatNoResults, formatResults } from './authentication-results.ts';
import { chooseSignatures, maxSignatures, signatureTag } from './choose-signatures.ts';
import { judgeArc } from './judge-arc.ts';
import { judgeDkim, unsigned } from './judge-dkim.ts';
import { type Author, judgeDmarc } from './judge-dmarc.ts';
import { judgeSpf } from './judge-spf.ts';
import type { OpenMessage } from './open-message.ts';
import { type Signatures, verifySignatures } from './verify-signatures.ts';

/** With what a message is judged. */
export type JudgeOptions = {
  /** Has the deadline that holds for all DNS questions of the message together. */
  readonly resolve: Resolve;
  /** Our own name, the one that judges. */
  readonly hostname: string;
  readonly now: Date;
};

/** Judges a stranger's message. Rejects only where the store fails while the message is read. */
export async function judgeMessage(
  job: ReceivedJob,
  message: OpenMessage,
  { resolve, hostname, now }: JudgeOptions,
): Promise<Authentication> {
  const recording = recordEvidence(resolve);
  const resolver = mailauthResolver(recording);
  const { clientIp, helo } = job.envelope.session;
  const question = { clientIp, helo: askableHelo(helo), reversePath: job.envelope.reversePath, hostname };
  const [spf, signatures] = await Promise.all([
    judgeSpf(question, resolver),
    verifySignatures(message, { resolver, now }),
    askAhead(message, resolver),
  ]);
  const dkim = [...judgeDkim(message, signatures)];
  const dmarc = await judgeDmarc({ author: authorOf(message, signatures), spf: spf.sender, dkim }, resolver);
  const verdicts = { spf: spf.sender, dkim, dmarc, arc: judgeArc(message, signatures) };
  const isNullReversePath = job.envelope.reversePath === '';
  const results = formatResults({ hostname, helo, heloVerdict: spf.helo, isNullReversePath }, verdicts);
  return { ...verdicts, results, evidence: [...recording.evidence()] };
}

/** The verdict on mail that is not judged: `none` everywhere, and why. */
export function notJudged(reason: string, hostname: string): Authentication {
  return {
    spf: { result: 'none', domain: null, reason },
    dkim: [unsigned(reason)],
    dmarc: { result: 'none', domain: null, policy: null, aligned: { spf: false, dkim: false }, reason },
    arc: { result: 'none', instances: 0, reason },
    results: formatNoResults(hostname),
    evidence: [],
  };
}

/** mailauth wants lists; whatever else a resolver gives counts as nothing. */
function mailauthResolver({ resolve }: RecordingResolve): DNSResolver {
  const isList = (answer: unknown): answer is string[] => Array.isArray(answer);
  return async (name, type) => {
    const answer = await resolve(name, type);
    return isList(answer) ? answer : [];
  };
}

/** An address as HELO name is written as a literal (RFC 5321 §4.1.3). */
function askableHelo(helo: string | null): string | null {
  if (helo === null || helo === '') return null;
  return isIP(helo) === 0 ? helo : `[${helo}]`;
}

/**
 * Asks for all keys and policies at once and early: one slow zone that a forger runs must not eat up the deadline of
 * the zones that matter, and a long body must not make the key look-ups late.
 */
async function askAhead(message: OpenMessage, resolver: DNSResolver): Promise<void> {
  const ofChain = message.scanned.fields.filter(({ name }) => name.startsWith('arc-'));
  const signed = [...chooseSignatures(message).looked, ...ofChain.slice(0, maxSignatures)];
  const keys = signed.map((field) => `${signatureTag(field, 's')}._domainkey.${signatureTag(field, 'd')}`);
  const noVerdicts = { spf: { result: 'none', domain: null, reason: '' }, dkim: [] } as const;
  const policy = judgeDmarc({ author: scannedAuthor(message), ...noVerdicts }, resolver);
  await Promise.allSettled(
    [policy, ...new Set(keys)].map((ask) => (typeof ask === 'string' ? resolver(ask, 'TXT') : ask)),
  );
}

/**
 * Whom From names. Where the verifier was not asked, has read something else, or where a field cannot be read for sure, all
 * domains that it mentions: programs differ in whom they take for the author of `From: <a@a.example> <b@b.example>`.
 */
function authorOf(message: OpenMessage, signatures: Signatures): Author {
  const mentioned = scannedAuthor(message);
  if (signatures.outcome !== 'verified') return mentioned;
  const { from } = signatures;
  const { addresses, unreadable } = addressesOfFrom(fromFields(message));
  const ours = new Set(addresses.map(({ domain }) => `author@${domain}`));
  // What the verifier could not make a domain of may be read here: white space around the dots, for one.
  const theirs = from.addresses.map((text) => domainOf(text)).filter((domain) => domain !== '');
  const isSame = theirs.every((domain) => ours.has(`author@${domain}`));
  if (isSame && unreadable.length === 0) return { addresses: [...ours], fields: from.fields };
  return { addresses: [...from.addresses, ...ours, ...mentioned.addresses], fields: from.fields };
}

function domainOf(address: string): string {
  const domain = parseDomain(address.slice(address.lastIndexOf('@') + 1).trim());
  return isProblem(domain) ? '' : domain;
}

function scannedAuthor(message: OpenMessage): Author {
  const fields = fromFields(message);
  const mentioned = fields.flatMap((field) =>
    [...fieldText(field).matchAll(/@([^\s<>(),;:"\\@[\]]+)/g)].map(([, domain]) => domain),
  );
  const domains = [...new Set(mentioned.map((domain) => (domain ?? '').toLowerCase()))];
  return { addresses: domains.map((domain) => `author@${domain}`), fields: fields.length };
}

function fromFields({ scanned }: OpenMessage): readonly HeaderField[] {
  const fields = scanned.fields.filter(({ name }) => name === 'from');
  return fields.map(({ name, text, offset, bytes }) => ({ name, raw: Buffer.from(text, 'latin1'), offset, bytes }));
}
