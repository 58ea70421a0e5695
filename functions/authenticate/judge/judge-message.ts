// Gathers and judges: SPF at once, the keys and policies that will be asked for ahead of the body, then signatures,
// then DMARC over what both found. One deadline holds for all DNS questions of the message (design §7).
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import type { DNSResolver } from 'mailauth';
import { type Authors, authorsOf } from '#mail/address/authors.ts';
import { chooseSignatures, maxSignatures, type SignatureChoice } from '#mail/dkim/choose-signatures.ts';
import { signatureTag } from '#mail/dkim/signature-tag.ts';
import { formatResults } from '#mail/header/authentication-results.ts';
import type { Authentication, ReceivedJob } from '#pipeline/contract/jobs.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { type RecordingResolve, recordEvidence } from '#pipeline/dns/questions.ts';
import { judgeArc } from './judge-arc.ts';
import { judgeDkim, unsigned } from './judge-dkim.ts';
import { judgeDmarc } from './judge-dmarc.ts';
import { judgeSpf } from './judge-spf.ts';
import { listResults } from './list-results.ts';
import type { OpenMessage } from './open-message.ts';
import { verifySignatures } from './verify-signatures.ts';

/** With what a message is judged. */
export type JudgeOptions = {
  /** Has the deadline that holds for all DNS questions of the message together. */
  readonly resolve: Resolve;
  /** Our own name, the one that judges. */
  readonly hostname: string;
};

/** Judges a stranger's message. Rejects only where the store fails while the message is read. */
export async function judgeMessage(
  job: ReceivedJob,
  message: OpenMessage,
  { resolve, hostname }: JudgeOptions,
): Promise<Authentication> {
  const recording = recordEvidence(resolve);
  const resolver = mailauthResolver(recording);
  const { reversePath, session } = job.envelope;
  const { clientIp, helo } = session;
  const question = { clientIp, helo: askableHelo(helo), reversePath, hostname };
  const authors = authorsOf(message.header);
  const choice = chooseSignatures(message.header.fields, message.bytes);
  const [spf, signatures] = await Promise.all([
    judgeSpf(question, resolver),
    verifySignatures(message, choice, { resolver, receivedAt: new Date(job.receivedAt) }),
    askAhead(message, { authors, choice }, resolver),
  ]);
  const dkim = [...judgeDkim(message.header, choice, signatures)];
  const dmarc = await judgeDmarc({ authors, spf: spf.sender, dkim }, resolver);
  const verdicts = { spf: spf.sender, dkim, dmarc, arc: judgeArc(message, signatures) };
  const results = formatResults(
    hostname,
    listResults({ helo, heloVerdict: spf.helo, isNullReversePath: reversePath === '' }, verdicts),
  );
  return { ...verdicts, results, evidence: [...recording.evidence()] };
}

/** The verdict on mail that is not judged: `none` everywhere, and why. */
export function notJudged(reason: string, hostname: string): Authentication {
  return {
    spf: { result: 'none', domain: null, reason },
    dkim: [unsigned(reason)],
    dmarc: { result: 'none', domain: null, policy: null, aligned: { spf: false, dkim: false }, reason },
    arc: { result: 'none', instances: 0, reason },
    results: formatResults(hostname, []),
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
async function askAhead(
  { header }: OpenMessage,
  { authors, choice }: { readonly authors: Authors; readonly choice: SignatureChoice },
  resolver: DNSResolver,
): Promise<void> {
  const ofChain = header.fields.filter(({ name }) => /^arc-(?:seal|message-signature)$/i.test(name));
  const signed = [...choice.chosen, ...ofChain.slice(0, maxSignatures)];
  const names = signed.map((field) => `${signatureTag(field, 's')}._domainkey.${signatureTag(field, 'd')}`);
  const keys = names.map(domainToASCII).filter((name) => name !== '');
  const noVerdicts = { spf: { result: 'none', domain: null, reason: '' }, dkim: [] } as const;
  const policy = judgeDmarc({ authors, ...noVerdicts }, resolver);
  await Promise.allSettled(
    [policy, ...new Set(keys)].map((ask) => (typeof ask === 'string' ? resolver(ask, 'TXT') : ask)),
  );
}
