// Questions to the DNS that tell "there is no record" from "no answer", so that nobody is advised to publish what exists.
import type { Resolve } from '#pipeline/contract/ports.ts';
import { dnsErrorCode, isTemporaryDnsError } from '#pipeline/dns/answer.ts';
import { type Finding, missing, unknown } from './finding.ts';

/** The records (an empty list: there are none), or why they are not known. */
export type DnsAnswer<Value> =
  | { readonly outcome: 'records'; readonly records: readonly Value[] }
  | { readonly outcome: 'no-answer'; readonly reason: string };

/** Asks for the records of a type, each as the resolver gives it. */
export async function askDns(resolve: Resolve, name: string, type: string): Promise<DnsAnswer<unknown>> {
  try {
    const answer = await resolve(name, type);
    return { outcome: 'records', records: Array.isArray(answer) ? answer : [] };
  } catch (thrown) {
    const code = dnsErrorCode(thrown);
    if (!isTemporaryDnsError(code)) return { outcome: 'records', records: [] };
    const reason = `the DNS did not answer for ${name} ${type} (${code})`;
    return { outcome: 'no-answer', reason };
  }
}

/** TXT records, the strings of each put together. */
export async function askTexts(resolve: Resolve, name: string): Promise<DnsAnswer<string>> {
  const answer = await askDns(resolve, name, 'TXT');
  if (answer.outcome === 'no-answer') return answer;
  const records = answer.records.map((strings) => (Array.isArray(strings) ? strings.join('') : String(strings)));
  return { outcome: 'records', records };
}

/**
 * The one TXT record of a kind, or null; a finding if the DNS did not answer, or if there are several, which count as none
 * (RFC 7208 §4.5, RFC 9989 §4.10, RFC 8461 §3.1).
 */
export async function askOneText(
  resolve: Resolve,
  name: string,
  { pattern, what }: { readonly pattern: RegExp; readonly what: string },
): Promise<string | null | Finding> {
  const answer = await askTexts(resolve, name);
  if (answer.outcome === 'no-answer') return unknown(`${what}: ${answer.reason}`);
  const [first, ...others] = answer.records.filter((text) => pattern.test(text));
  if (first === undefined || others.length === 0) return first ?? null;
  return missing(`${what}: ${others.length + 1} records, which counts as none`, {
    records: [{ name, type: 'TXT', value: first, about: 'one of them alone, this or another' }],
    hint: `Take the others out of ${name}.`,
  });
}
