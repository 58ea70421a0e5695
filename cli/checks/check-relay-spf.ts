// Checks SPF (RFC 7208) of a domain whose mail leaves by a relay: its record, with what it includes, must name that relay.
import { recordText, spfRecord } from '#cli/dns-records.ts';
import { findRelaySpf } from '#cli/relay-spf.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { askTexts } from './ask-dns.ts';
import type { Finding } from './finding.ts';

const maxLookUps = 10; // RFC 7208 §4.6.4

/** `relay`: the host that mail is handed to. A record that is there is kept, and gets the relay's term in front. */
export async function checkRelaySpf(
  { domain, relay }: { readonly domain: string; readonly relay: string },
  resolve: Resolve,
): Promise<Finding> {
  const what = `${domain}: SPF`;
  const answer = await askTexts(resolve, domain);
  if (answer.outcome === 'no-answer') return { level: 'missing', what: `${what}: ${answer.reason}` };
  const [record, ...others] = answer.records.filter((text) => /^v=spf1( |$)/i.test(text));
  if (others.length > 0) {
    return { level: 'missing', what: `${what}: ${others.length + 1} records, which counts as none: keep one` };
  }
  const spf = await findRelaySpf(relay, resolve);
  const publish = recordText(spfRecord({ domain, relay, spf, record: record ?? null }));
  if (record === undefined) return { level: 'missing', what: `${what}: no record`, publish };
  const named = await termsOf(record, resolve);
  if (spf.terms.some((term) => named.has(term))) return { level: 'ok', what: `${what}: ${record}` };
  const level = spf.isCertain ? 'missing' : 'advice';
  return { level, what: `${what}: ${record} does not name the relay ${relay}, by which mail leaves`, publish };
}

/** The mechanisms of a record and of all it includes, as far as a receiver would look. */
async function termsOf(record: string, resolve: Resolve): Promise<ReadonlySet<string>> {
  const terms = new Set<string>();
  const waiting = [record];
  let lookUps = 0;
  for (const text of waiting) {
    for (const term of text.toLowerCase().split(/\s+/).slice(1)) {
      const plain = term.replace(/^\+/, '');
      terms.add(plain);
      const [, next] = /^(?:include:|redirect=)([^%]+)$/.exec(plain) ?? [];
      if (next === undefined || ++lookUps > maxLookUps) continue;
      const answer = await askTexts(resolve, next);
      if (answer.outcome === 'records') waiting.push(...answer.records.filter((one) => /^v=spf1( |$)/i.test(one)));
    }
  }
  return terms;
}
