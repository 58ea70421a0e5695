// DMARC (RFC 9989): does SPF or DKIM vouch for the domain the reader sees in From, and what does that domain ask for
// where neither does? Alignment, the tree walk and np=, psd=, t= are mailauth's (strict mode).
import type { DMARCResult, DNSResolver } from 'mailauth';
import { evaluateDmarc } from 'mailauth/lib/dmarc/index.js';
import type { Authentication } from '#pipeline/contract/jobs.ts';
import { cleanText } from './clean-text.ts';
import type { DkimVerdict } from './judge-dkim.ts';
import type { SpfVerdict } from './judge-spf.ts';

/** The verdict on the author. */
export type DmarcVerdict = Authentication['dmarc'];

/** Who the message says it is from: addresses (or bare domains) of all From fields, and how many such fields. */
export type Author = { readonly addresses: readonly string[]; readonly fields: number };

/** Who the message says it is from, and what may vouch for that. */
export type DmarcQuestion = {
  readonly author: Author;
  readonly spf: SpfVerdict;
  readonly dkim: readonly DkimVerdict[];
};

type Policy = NonNullable<DmarcVerdict['policy']>;

const notAligned = { spf: false, dkim: false } as const;
const maxAuthorDomains = 10;
const strength = { none: 0, quarantine: 1, reject: 2 } as const;

/**
 * Judges the author. Of a message with several From domains each is judged, and the strictest policy that one of them
 * fails is reported with `permerror`: RFC 9989 §11.5 leaves such mail to the receiver, and a forger must not gain by it.
 */
export async function judgeDmarc(question: DmarcQuestion, resolver: DNSResolver): Promise<DmarcVerdict> {
  const { author } = question;
  try {
    const { response, reason, authorDomains = [] } = await evaluate(question, author, resolver);
    if (response !== false) return await judgeAuthor(question, response, resolver);
    if (authorDomains.length === 0) return nobody(author, reason);
    return await judgeSeveral(question, authorDomains, resolver);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const reason = `DMARC cannot be evaluated: ${cleanText(text)}`;
    return { result: 'permerror', domain: null, policy: null, aligned: notAligned, reason };
  }
}

function evaluate(question: DmarcQuestion, author: Author, resolver: DNSResolver, isBenign = false) {
  const counts = (result: string): boolean => result === 'pass' || (isBenign && result === 'temperror');
  const { spf, dkim } = question;
  return evaluateDmarc({
    headerFrom: [...author.addresses],
    fromFields: author.fields,
    spfDomains: counts(spf.result) && spf.domain !== null ? [spf.domain] : [],
    dkimDomains: dkim.flatMap(({ result, domain }) => (counts(result) && domain !== null ? [{ domain }] : [])),
    resolver,
    strict: true,
  });
}

async function judgeAuthor(question: DmarcQuestion, found: DMARCResult, resolver: DNSResolver): Promise<DmarcVerdict> {
  const domain = cleanText(String(found.status.header?.from ?? ''), 255);
  const aligned = {
    spf: found.alignment?.spf.result !== undefined,
    dkim: found.alignment?.dkim.result !== undefined,
  };
  const policy = policyOf(found.policy);
  switch (found.status.result) {
    case 'pass':
      return { result: 'pass', domain, policy, aligned, reason: `${vouchers(aligned)} for ${domain}.` };
    case 'fail':
      return judgeFailure(
        question,
        { domain, policy, at: found.policyDomain ?? domain, isTest: found.testMode === true },
        resolver,
      );
    case 'none': {
      const reason = `${domain} publishes no DMARC policy that could be used.`;
      return { result: 'none', domain, policy: null, aligned, reason };
    }
    default: {
      const reason = `The DMARC policy of ${domain} could not be looked up.`;
      return { result: 'temperror', domain, policy: null, aligned: notAligned, reason };
    }
  }
}

function vouchers({ spf, dkim }: DmarcVerdict['aligned']): string {
  if (spf && dkim) return 'SPF and a DKIM signature vouch';
  return dkim ? 'A DKIM signature vouches' : 'SPF vouches';
}

/** `at`: where the record stands; `isTest`: it says t=y, so that one step less is asked for than it says. */
type Failure = {
  readonly domain: string;
  readonly policy: Policy | null;
  readonly at: string;
  readonly isTest: boolean;
};

/** Nobody vouches; but where a look-up failed that might have made somebody vouch, it is not known yet. */
async function judgeFailure(question: DmarcQuestion, failure: Failure, resolver: DNSResolver): Promise<DmarcVerdict> {
  const { domain, policy, at, isTest } = failure;
  const author = { addresses: [`author@${domain}`], fields: 1 };
  const { response } = await evaluate(question, author, resolver, true);
  if (response !== false && response.status.result === 'pass') {
    const reason = `Whether SPF or DKIM vouches for ${domain} could not be found out: the DNS did not answer.`;
    return { result: 'temperror', domain, policy, aligned: notAligned, reason };
  }
  const who = at === domain ? ', which' : `; ${cleanText(at, 255)}`;
  const asked = policy === null ? '' : `${who} asks for p=${policy}${isTest ? ' while it tests (t=y)' : ''}`;
  const reason = `Neither SPF nor a DKIM signature vouches for ${domain}${asked}.`;
  return { result: 'fail', domain, policy, aligned: notAligned, reason };
}

function policyOf(text: string | undefined): Policy | null {
  return text === 'none' || text === 'quarantine' || text === 'reject' ? text : null;
}

function nobody(author: Author, reason: string | undefined): DmarcVerdict {
  const why =
    author.fields === 0
      ? 'The message has no From field, so there is no domain to ask.'
      : `The From field names no domain that could be asked (${cleanText(reason ?? 'no domain')}).`;
  return {
    result: author.fields === 0 ? 'none' : 'permerror',
    domain: null,
    policy: null,
    aligned: notAligned,
    reason: why,
  };
}

async function judgeSeveral(
  question: DmarcQuestion,
  domains: readonly string[],
  resolver: DNSResolver,
): Promise<DmarcVerdict> {
  // Readers are shown the first author or the last: of a crowd, those are the ones to look at.
  const looked = [...new Set([...domains.slice(0, maxAuthorDomains), ...domains.slice(-maxAuthorDomains)])];
  const verdicts = await Promise.all(
    looked.map((domain) =>
      judgeDmarc({ ...question, author: { addresses: [`author@${domain}`], fields: 1 } }, resolver),
    ),
  );
  const failed = verdicts
    .flatMap(({ result, policy, domain }) => (result === 'fail' && policy !== null ? [{ policy, domain }] : []))
    .toSorted((a, b) => strength[b.policy] - strength[a.policy])[0];
  const who = `The message names ${question.author.fields > 1 ? `${question.author.fields} From fields` : 'more than one author'}: ${looked.map((domain) => cleanText(domain, 255)).join(', ')}`;
  const outcome =
    failed === undefined
      ? 'DMARC judges only one.'
      : `nobody vouches for ${failed.domain}, which asks for p=${failed.policy}.`;
  const reason = `${cleanText(who, 600)}; ${outcome}`;
  return { result: 'permerror', domain: null, policy: failed?.policy ?? null, aligned: notAligned, reason };
}
