// DMARC (RFC 9989): does SPF or DKIM vouch for the domain the reader sees in From, and what does that domain ask for
// where neither does? Alignment, the tree walk and np=, psd=, t= are mailauth's (strict mode).
import type { DMARCResult, DNSResolver } from 'mailauth';
import { evaluateDmarc } from 'mailauth/lib/dmarc/index.js';
import type { Authors } from '#mail/address/authors.ts';
import { cleanText } from '#mail/clean-text.ts';
import { errorMessage } from '#mail/problem.ts';
import type { Authentication } from '#pipeline/contract/jobs.ts';
import type { DkimVerdict } from './judge-dkim.ts';
import type { SpfVerdict } from './judge-spf.ts';

/** The verdict on the author. */
export type DmarcVerdict = Authentication['dmarc'];

/** Who the message says it is from, and what may vouch for that. */
export type DmarcQuestion = {
  readonly authors: Pick<Authors, 'fieldCount' | 'domains' | 'isAuthorHidden' | 'doubts'>;
  readonly spf: SpfVerdict;
  readonly dkim: readonly DkimVerdict[];
};

type Policy = NonNullable<DmarcVerdict['policy']>;

const notAligned = { spf: false, dkim: false } as const;
const maxAuthorDomains = 20;
const strength = { none: 0, quarantine: 1, reject: 2 } as const;

/**
 * Judges the author. `pass` says that all who may be shown as authors are of the one domain judged. If there is a doubt who that is,
 * or there are several, the answer is `permerror` with the strictest policy of their domains: RFC 9989 §11.5 leaves such mail to the
 * receiver, and a forger must not gain by it.
 */
export async function judgeDmarc(question: DmarcQuestion, resolver: DNSResolver): Promise<DmarcVerdict> {
  const { domains, isAuthorHidden, doubts, fieldCount } = question.authors;
  const [domain] = domains;
  try {
    if (doubts.length > 0 || isAuthorHidden || domains.length > 1 || fieldCount > 1)
      return await judgeDoubtful(question, resolver);
    return domain === undefined ? nobody(fieldCount) : await judgeDomain(question, domain, resolver);
  } catch (error) {
    const text = errorMessage(error);
    return noVerdict('permerror', `DMARC cannot be evaluated: ${cleanText(text)}`);
  }
}

async function judgeDomain(question: DmarcQuestion, domain: string, resolver: DNSResolver): Promise<DmarcVerdict> {
  const { response, reason } = await evaluate(question, domain, resolver);
  if (response !== false) return judgeAuthor(question, response, resolver);
  return noVerdict('permerror', `${domain} is not a domain that could be asked (${cleanText(reason ?? 'no domain')}).`);
}

function evaluate({ spf, dkim }: DmarcQuestion, domain: string, resolver: DNSResolver, isBenign = false) {
  const counts = (result: string): boolean => result === 'pass' || (isBenign && result === 'temperror');
  return evaluateDmarc({
    headerFrom: [`author@${domain}`],
    fromFields: 1,
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
  const { response } = await evaluate(question, domain, resolver, true);
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

function nobody(fieldCount: number): DmarcVerdict {
  return fieldCount === 0
    ? noVerdict('none', 'The message has no From field, so there is no domain to ask.')
    : noVerdict('permerror', 'The From field names no author, so there is no domain to ask.');
}

function noVerdict(
  result: 'none' | 'permerror' | 'temperror',
  reason: string,
  policy: Policy | null = null,
): DmarcVerdict {
  return { result, domain: null, policy, aligned: notAligned, reason };
}

/** If it is certain who the authors are, a domain that somebody vouches for asks for nothing. */
async function judgeDoubtful(question: DmarcQuestion, resolver: DNSResolver): Promise<DmarcVerdict> {
  const { domains, isAuthorHidden, doubts, fieldCount } = question.authors;
  const several =
    fieldCount > 1 ? `The message names ${fieldCount} From fields` : 'The message names more than one author';
  const who = doubts[0] === undefined ? several : `It is not certain who wrote the message: ${cleanText(doubts[0])}`;
  if (isAuthorHidden || domains.length > maxAuthorDomains) {
    // No honest message is like that. Nobody is asked, since a domain that was not read or asked may have asked for this.
    const why = isAuthorHidden ? 'it may have other authors, who cannot be read' : `it names ${domains.length} domains`;
    return noVerdict('permerror', `${who}; ${why}.`, 'quarantine');
  }
  const verdicts = await Promise.all(domains.map((domain) => judgeDomain(question, domain, resolver)));
  const [strictest] = verdicts
    .filter(({ result }) => result === 'fail' || doubts.length > 0)
    .flatMap(({ policy, domain }) => (policy === null ? [] : [{ policy, domain }]))
    .toSorted((a, b) => strength[b.policy] - strength[a.policy]);
  const unsure = verdicts.find(({ result }) => result === 'temperror');
  if (strictest === undefined && unsure !== undefined) return noVerdict('temperror', unsure.reason);
  const named = domains.length === 0 ? '' : ` (${domains.join(', ')})`;
  const asked = strictest === undefined ? '' : `; ${strictest.domain} asks for p=${strictest.policy}`;
  return noVerdict('permerror', `${cleanText(`${who}${named}`, 600)}${asked}.`, strictest?.policy);
}
