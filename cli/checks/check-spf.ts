// Checks SPF (RFC 7208) of a domain: its record, with what it includes, must name the way by which its mail really leaves.
import { spfRecord } from '#cli/dns/dns-records.ts';
import { lighterSpf, mergedSpf, termsOf } from '#cli/dns/edit-spf.ts';
import { spfPattern } from '#cli/dns/relay-spf.ts';
import { findWantedSpf, type WantedSpf, type WayOut } from '#cli/dns/way-out.ts';
import { sesRegion } from '#pipeline/config/ses-endpoint.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { askTexts } from './ask-dns.ts';
import { advice, type Finding, missing, ok, unknown } from './finding.ts';
import { addressesOf, maxLookUps, type ReadSpf, readSpf } from './read-spf.ts';

/** `ways`: the first is in force. An existing record is kept, and gets the terms that it lacks in front. */
export async function checkSpf(checked: SpfCheck, resolve: Resolve): Promise<Finding> {
  const found = await judgeSpf(checked, resolve);
  const [inForce] = checked.ways;
  const isSes = inForce?.how === 'relay' && sesRegion(inForce.host) !== null;
  if (found.level !== 'missing' || !isSes) return found;
  return { ...found, level: 'advice', hint: found.hint === null ? ownPath : `${found.hint}\n${ownPath}` };
}

/** Of its own, or below the domain (check-ses.ts): receivers ask for the SPF record of that. */
const ownPath = 'Mail passes without it: SES sends with another return path.';

type SpfCheck = { readonly domain: string; readonly ways: readonly WayOut[] };

async function judgeSpf({ domain, ways }: SpfCheck, resolve: Resolve): Promise<Finding> {
  const what = `${domain}: SPF`;
  const answer = await askTexts(resolve, domain);
  if (answer.outcome === 'no-answer') return unknown(`${what}: ${answer.reason}`);
  const found = answer.records.filter((text) => spfPattern.test(text));
  const record = found.length > 1 ? mergedSpf(found) : (found[0] ?? null);
  const wanted = await Promise.all(ways.map((way) => findWantedSpf(way, resolve)));
  if (record === null) return missing(`${what}: no record`, { records: [spfRecord({ domain, wanted, record })] });
  const read = await readSpf(domain, record, resolve);
  const lacking: WantedSpf[] = [];
  for (const [at, way] of ways.entries()) {
    const one = wanted[at];
    if (one !== undefined && !(await isNamed(read, { way, wanted: one }, resolve))) lacking.push(one);
  }
  if (found.length > 1) {
    return missing(`${what}: ${found.length} records, which counts as none`, {
      records: [spfRecord({ domain, wanted: lacking, record })],
      hint: `In place of all of them: it says what they say together.`,
    });
  }
  if (lacking.length === 0 && read.lookUps > maxLookUps) return askingTooMuch(what, { domain, record, resolve });
  if (lacking.length === 0) return ok(`${what}: ${record}`);
  const published = spfRecord({ domain, wanted: lacking, record });
  const after = await readSpf(domain, published.value, resolve);
  const [inForce] = wanted;
  const isInForce = inForce !== undefined && lacking.includes(inForce);
  const who = lacking.map((one) => one.who).join(' and ');
  const when = isInForce ? 'by which mail leaves' : 'by which mail may leave too';
  const hint = after.lookUps > maxLookUps ? `${tooMany('With that', published.value, after)}; ${fewer}` : null;
  // This server may send from another address than its name has.
  const level = isInForce && inForce.isCertain && ways[0]?.how !== 'server' ? missing : advice;
  return level(`${what}: ${record} does not name ${who}, ${when}`, { records: [published], hint });
}

const fewer = 'take out includes that are not needed any more';

type Published = { readonly domain: string; readonly record: string; readonly resolve: Resolve };

/** A record that says the same and asks less, if there is one; else what each of its terms costs. */
async function askingTooMuch(what: string, { domain, record, resolve }: Published): Promise<Finding> {
  const said = tooMany(what, record, await readSpf(domain, record, resolve));
  const value = await lighterSpf(domain, record, resolve);
  if ((await readSpf(domain, value, resolve)).lookUps <= maxLookUps) {
    const about = 'names by address what it named by host, and leaves out what leads nowhere';
    const hint = 'Change it when one of these addresses changes.';
    return missing(said, { records: [{ name: domain, type: 'TXT', value, about }], hint });
  }
  const costs = await Promise.all(
    termsOf(value).map(async (term) => ({ term, ...(await readSpf(domain, `v=spf1 ${term}`, resolve)) })),
  );
  const list = costs
    .filter(({ lookUps }) => lookUps > 0)
    .sort((a, b) => b.lookUps - a.lookUps)
    .map(({ term, lookUps }) => `${term} ${lookUps}`);
  const hint = `${fewer}, or send by some of them from a subdomain, which has an SPF record of its own. Questions of each: ${list.join(', ')}.`;
  return missing(said, { hint });
}

function tooMany(what: string, record: string, { lookUps }: ReadSpf): string {
  return `${what}: ${record} makes receivers ask the DNS ${lookUps} times; after ${maxLookUps} it counts for nothing`;
}

type Wanted = { readonly way: WayOut; readonly wanted: WantedSpf };

/** By one of the terms, or by letting its addresses pass. */
async function isNamed(read: ReadSpf, { way, wanted }: Wanted, resolve: Resolve): Promise<boolean> {
  if (wanted.terms.some((term) => read.terms.has(term.toLowerCase()))) return true;
  switch (way.how) {
    case 'relay':
      return false; // it sends from other addresses than it takes mail at
    case 'address':
      return read.passes(way.address);
    case 'server': {
      const addresses = await addressesOf(resolve, way.hostname);
      return addresses.length > 0 && addresses.every(read.passes);
    }
  }
}
