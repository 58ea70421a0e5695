// `pillarbox dkim new DOMAIN`: an RSA-2048 and an Ed25519 key (RFC 8301 §3.2, RFC 8463), in files beside the configuration or in the
// Secrets Manager of a deployment, and the DNS records to publish.

import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { type Command, cliError, optionValue, usageError } from '#cli/command.ts';
import type { ConfigFile } from '#cli/config/config-file.ts';
import type { ConfigPlace } from '#cli/config/config-place.ts';
import { keepInFiles, keepInSecrets, type NewKey } from '#cli/config/dkim-keys.ts';
import { editing } from '#cli/config/edit-command.ts';
import { dnsRecordSchema, recordText } from '#cli/dns/dns-record.ts';
import { dkimRecord, suggestedRecords } from '#cli/dns/dns-records.ts';
import { waysOutOf } from '#cli/dns/way-out.ts';
import { type Domain, parseDomain } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import { type DomainConfig, selectorPattern } from '#pipeline/config/config.ts';
import { appendToArray, setValue, writtenDomain } from '#pipeline/config/edit-config.ts';

export const dkimNew: Command = editing({
  name: 'dkim new',
  usage: 'DOMAIN [--selector NAME] [options]',
  about: 'make keys that sign the mail of a domain, and print the DNS records to publish',
  takes: [1, 1],
  options: { selector: { value: 'NAME', about: 'how the keys are called in the DNS (default pbYYYYMM)' } },
  gives: {
    domain: z.string(),
    keys: z.array(z.strictObject({ selector: z.string(), path: z.string(), reference: z.string() })),
    records: z.array(dnsRecordSchema),
  },
  ready: async ({ given, world, place, known }) => {
    const domain = parseDomain(given.positionals[0] ?? '');
    if (isProblem(domain)) throw usageError(domain.problem);
    const month = new Date(world.clock()).toISOString().slice(0, 7).replace('-', '');
    const selector = optionValue(given, 'selector') ?? `pb${month}`;
    if (!selectorPattern.test(selector))
      throw usageError(`--selector ${selector}: expected letters, digits, dots and hyphens`);
    const keys = makeKeys(selector, domain);
    knownKeys(known, domain, keys);
    const kept = place.stack === null ? await keepInFiles(known.path, keys) : await keepInSecrets(place.stack, keys);
    return { domain, kept };
  },
  change: (file, { domain, kept }, { place }) => withKeys(file, { domain, keys: kept.keys, place }),
  undo: ({ kept }) => kept.undo(),
  tells: async ({ ready: { domain, kept } }, { world, known, place }) => {
    const own = kept.keys.map(({ selector, key }) => dkimRecord({ domain, selector, publicKey: createPublicKey(key) }));
    const { mx, spf, dmarc } = suggestedRecords(domain, {
      config: known.config,
      ways: await waysOutOf(known.config, place),
      nowMs: world.clock(),
    });
    const records = place.stack === null ? [...own, mx, spf, dmarc] : own;
    return {
      json: {
        domain,
        keys: kept.keys.map(({ selector, path, reference }) => ({ selector, path, reference })),
        records,
      },
      lines: [`Wrote ${kept.where}, and ${known.path}.`, 'Publish:', '', ...records.map(recordText), ''],
      next: `Then: ${place.command('check')}`,
    };
  },
});

const unreadable = 'no function could read its key, and mail of the domain waited';

function makeKeys(base: string, domain: Domain): readonly NewKey[] {
  const pairs: readonly (readonly [string, KeyObject])[] = [
    ['rsa', generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey],
    ['ed25519', generateKeyPairSync('ed25519').privateKey],
  ];
  return pairs.map(([kind, key]) => ({ domain, selector: `${base}-${kind}`, key }));
}

/** The keys that a domain has. Throws a CliError if it is not there, or if a selector of the new ones is taken. */
function knownKeys({ config, path }: ConfigFile, domain: Domain, keys: readonly Selected[]): DomainConfig['dkim'] {
  const known = config.domains[domain]?.dkim;
  if (known === undefined) throw cliError(`${domain} is not among the domains of ${path}`, 'no-domain');
  const taken = keys.find((key) => known.some((one) => one.selector === key.selector));
  if (taken === undefined) return known;
  throw cliError(`selector ${taken.selector} is there already: name another with --selector`, 'exists');
}

type Selected = { readonly selector: string };

type Added = {
  readonly domain: Domain;
  readonly keys: readonly (Selected & { readonly reference: string })[];
  readonly place: ConfigPlace;
};

/** The text with the keys; on AWS without those that no function can read. */
function withKeys(
  file: ConfigFile,
  { domain, keys, place }: Added,
): { readonly text: string; readonly notices: readonly string[] } {
  const known = knownKeys(file, domain, keys);
  const readable = known.filter(({ privateKey }) => place.stack === null || privateKey.startsWith('secret:'));
  const path = ['domains', writtenDomain(file.text, domain), 'dkim'];
  const added = keys.map(({ selector, reference }) => ({ selector, privateKey: reference }));
  const removed = known.filter((key) => !readable.includes(key)).map(({ selector }) => selector);
  const text =
    removed.length === 0
      ? added.reduce((so, key) => appendToArray(so, path, key), file.text)
      : setValue(file.text, path, [...readable, ...added]);
  return { text, notices: removed.map((selector) => `took ${selector} out: ${unreadable}`) };
}
