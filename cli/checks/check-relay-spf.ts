// Checks SPF (RFC 7208) of a domain whose mail leaves by a relay: its record, with what it includes, must name that relay.
import { recordText, spfRecord } from '#cli/dns-records.ts';
import { findRelaySpf, spfPattern } from '#cli/relay-spf.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { askOneText, askTexts } from './ask-dns.ts';
import { advice, type Finding, missing, ok } from './finding.ts';

const maxLookUps = 10; // RFC 7208 §4.6.4

/** `relay`: the host that all mail is sent to. An existing record is kept, and gets the relay's term in front. */
export async function checkRelaySpf(
  { domain, relay }: { readonly domain: string; readonly relay: string },
  resolve: Resolve,
): Promise<Finding> {
  const what = `${domain}: SPF`;
  const record = await askOneText(resolve, domain, { pattern: spfPattern, what });
  if (record !== null && typeof record !== 'string') return record;
  const spf = await findRelaySpf(relay, resolve);
  const publish = recordText(spfRecord({ domain, relay, spf, record }));
  if (record === null) return missing(`${what}: no record`, publish);
  const named = await termsOf(record, resolve);
  if (spf.terms.some((term) => named.has(term))) return ok(`${what}: ${record}`);
  const found = spf.isCertain ? missing : advice;
  return found(`${what}: ${record} does not name the relay ${relay}, by which mail leaves`, publish);
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
      if (answer.outcome === 'records') waiting.push(...answer.records.filter((one) => spfPattern.test(one)));
    }
  }
  return terms;
}
