// SPF (RFC 7208) for both identities: may this client send for the domain of the reverse-path, and for its HELO name?
import type { DNSResolver } from 'mailauth';
import { spf } from 'mailauth/lib/spf/index.js';
import { cleanText } from '#mail/clean-text.ts';
import { errorMessage } from '#mail/problem.ts';
import { explainSpf, type SpfWord } from '#mail/spf/explain-spf.ts';
import type { Authentication } from '#pipeline/contract/jobs.ts';

/** The verdict on one SPF identity. */
export type SpfVerdict = Authentication['spf'];

/** The verdicts on both SPF identities. */
export type SpfJudgement = {
  /** The MAIL FROM identity; of a null reverse-path, the HELO identity (RFC 7208 §2.4). */
  readonly sender: SpfVerdict;
  /** The HELO identity (RFC 7208 §2.3), where it is not the one above and is a name. */
  readonly helo: SpfVerdict | null;
};

/** What the client said and where it came from; `hostname` is ours (macro `r`, RFC 7208 §7.3). */
export type SpfQuestion = {
  readonly clientIp: string | null;
  readonly helo: string | null;
  readonly reversePath: string;
  readonly hostname: string;
};

/** Judges the sender; DNS failures are `temperror`. Never rejects. */
export async function judgeSpf(question: SpfQuestion, resolver: DNSResolver): Promise<SpfJudgement> {
  const { clientIp, helo, reversePath } = question;
  if (clientIp === null) {
    return { sender: { result: 'none', domain: null, reason: 'The address of the client is not known.' }, helo: null };
  }
  if (reversePath === '' && helo === null) {
    const reason = 'There is no domain to ask: the reverse-path is empty and the client did not say its name.';
    return { sender: { result: 'none', domain: null, reason }, helo: null };
  }
  const identity = { clientIp, helo, hostname: question.hostname };
  const heloIsName = helo !== null && reversePath !== '' && /^[a-z0-9_-]+(\.[a-z0-9_-]+)+\.?$/i.test(helo);
  const [sender, heloVerdict] = await Promise.all([
    judgeIdentity({ ...identity, sender: reversePath }, resolver),
    heloIsName ? judgeIdentity({ ...identity, sender: '' }, resolver) : null,
  ]);
  return { sender, helo: heloVerdict };
}

type Identity = {
  readonly clientIp: string;
  readonly helo: string | null;
  readonly hostname: string;
  /** The reverse-path, or the empty string for the HELO identity. */
  readonly sender: string;
};

async function judgeIdentity(
  { clientIp, helo, hostname, sender }: Identity,
  resolver: DNSResolver,
): Promise<SpfVerdict> {
  const options = { ip: clientIp, helo: helo ?? 'unknown', sender, mta: hostname, resolver, strict: true };
  try {
    const found = await spf(options);
    const domain = cleanText(found.domain, 255);
    const { result, comment = '' } = found.status;
    const record = found.rr ?? '';
    const detail = cleanText(/ during lookup of [\s\S]*?: ([\s\S]*)$/.exec(comment)?.[1] ?? '');
    const explanation = cleanText(found.explanation ?? '');
    const facts = { clientIp, domain, record, detail, explanation };
    return { result: spfWord(result), domain, reason: explainSpf(spfWord(result), facts) };
  } catch (error) {
    const text = errorMessage(error);
    return { result: 'permerror', domain: null, reason: `SPF cannot be evaluated: ${cleanText(text)}` };
  }
}

/** mailauth has no words but these; an unknown one says that nothing is known. */
function spfWord(word: string): SpfWord {
  switch (word) {
    case 'pass':
    case 'fail':
    case 'softfail':
    case 'neutral':
    case 'none':
    case 'permerror':
      return word;
    default:
      return 'temperror';
  }
}
