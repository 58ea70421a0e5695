// Verdicts in plain words: who sent a message, as far as it is proven, and which DNS records decided.
import type { Authentication, DnsEvidence } from '#pipeline/contract/jobs.ts';
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';

export type Tone = 'good' | 'warn' | 'bad' | 'plain';
export type Headline = { readonly tone: Tone; readonly text: string; readonly why: string };

/** In one line: whether the domain that people see in From is proven. */
export function headline({ authentication, disposition, session, from }: InboxMessage): Headline {
  const { dmarc } = authentication;
  const domain = dmarc.domain ?? domainOf(from[0]?.address ?? '');
  if (session.user !== null) return { tone: 'good', text: `Sent by ${session.user}`, why: 'logged in with a password' };
  if (disposition.action === 'quarantine') return { tone: 'bad', text: 'Quarantined', why: disposition.reason };
  if (disposition.released) return { tone: 'bad', text: 'Released from quarantine', why: disposition.reason };
  if (dmarc.result === 'pass') return { tone: 'good', text: `Sent by ${domain}`, why: provenBy(authentication) };
  if (dmarc.result === 'fail') return { tone: 'bad', text: `Not from ${domain}`, why: dmarc.reason };
  if (dmarc.result === 'none') return { tone: 'plain', text: 'Sender not proven', why: dmarc.reason };
  return { tone: 'warn', text: 'Sender could not be checked', why: dmarc.reason };
}

function provenBy({ dmarc, spf, dkim }: Authentication): string {
  const ways = [
    ...(dmarc.aligned.spf && spf.result === 'pass' ? ['SPF'] : []),
    ...(dmarc.aligned.dkim && dkim.some(({ result }) => result === 'pass') ? ['DKIM'] : []),
  ];
  if (ways.length === 0) return dmarc.reason;
  return `${ways.join(' and ')} ${ways.length > 1 ? 'pass' : 'passes'}, aligned`;
}

export function toneOf(result: string): Tone {
  if (result === 'pass') return 'good';
  if (/softfail|temperror|policy|neutral/.test(result)) return 'warn';
  return /fail|permerror/.test(result) ? 'bad' : 'plain';
}

/** One check: its question, its outcome, and the answers of the DNS that it went by. */
export type Check = {
  readonly name: string;
  readonly question: string;
  readonly result: string;
  readonly domain: string | null;
  readonly reason: string;
  readonly records: readonly ShownRecord[];
};

export type ShownRecord = { readonly name: string; readonly type: string; readonly text: string };

export function checksOf({ spf, dkim, dmarc, arc, evidence }: Authentication): readonly Check[] {
  const keysOf = (domain: string | null, selector: string | null) =>
    evidence.filter(({ name }) => isName(name, `${selector ?? ''}._domainkey.${domain ?? ''}`));
  return [
    {
      name: 'SPF',
      question: 'May this server send for the envelope’s domain?',
      ...spf,
      records: shown(evidence.filter((one) => one.type === 'TXT' && /v=spf1/i.test(answerOf(one)))),
    },
    ...dkim.map((one) => ({
      name: 'DKIM',
      question: `Is the signature of ${one.domain ?? 'the sender'} intact?`,
      ...one,
      records: shown(keysOf(one.domain, one.selector)),
    })),
    {
      name: 'DMARC',
      question: 'Does it fit the From that people see?',
      ...dmarc,
      records: shown(evidence.filter(({ name }) => /^_dmarc\./i.test(name))),
    },
    { name: 'ARC', question: 'What did forwarders attest?', domain: null, ...arc, records: [] },
  ];
}

/** Every question that was asked, with its answer. */
export function shown(evidence: readonly DnsEvidence[]): readonly ShownRecord[] {
  return evidence.map((one) => ({ name: one.name, type: one.type, text: answerOf(one) }));
}

function answerOf({ outcome }: DnsEvidence): string {
  return outcome.kind === 'error' ? (errors.get(outcome.code) ?? outcome.code) : plain(outcome.json);
}

const errors = new Map([
  ['ENOTFOUND', 'no such name'],
  ['ENODATA', 'no such record'],
  ['ETIMEOUT', 'no answer in time'],
  ['ESERVFAIL', 'the name server failed'],
]);

/** Strings of one TXT record belong together; records stand on lines of their own. */
function plain(json: string): string {
  try {
    const answer: unknown = JSON.parse(json);
    if (!Array.isArray(answer)) return json;
    return answer.map((one) => (Array.isArray(one) ? one.join('') : textOf(one))).join('\n');
  } catch {
    return json;
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return Object.values(value ?? {}).join(' ');
}

function isName(one: string, other: string): boolean {
  return one.toLowerCase().replace(/\.$/, '') === other.toLowerCase();
}

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1) || 'its author';
}
