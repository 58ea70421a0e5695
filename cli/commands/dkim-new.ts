// `pillarbox dkim new DOMAIN`: an RSA-2048 and an Ed25519 key (RFC 8301 §3.2, RFC 8463), in files beside the configuration,
// and the DNS records to publish.
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Command, cliError, optionValue, print, usageError } from '#cli/command.ts';
import { configOption, readConfigFile, writeConfigFile, writeNew } from '#cli/config-file.ts';
import { type DnsRecord, dkimRecord, recordText, suggestedRecords } from '#cli/dns-records.ts';
import { parseDomain } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import { appendToArray, writtenDomain } from '#pipeline/config/edit-config.ts';

export const dkimNew: Command = {
  name: 'dkim new',
  usage: 'DOMAIN [--selector NAME] [options]',
  about: 'make keys that sign the mail of a domain, and print the DNS records to publish',
  takes: [1, 1],
  options: {
    selector: { value: 'NAME', about: 'how the keys are called in the DNS (default pbYYYYMM)' },
    ...configOption,
  },
  run: async (given, world) => {
    const domain = parseDomain(given.positionals[0] ?? '');
    if (isProblem(domain)) throw usageError(domain.problem);
    const file = await readConfigFile(given, world);
    const known = file.config.domains[domain];
    if (known === undefined) throw cliError(`${domain} is not among the domains of ${file.path}`, 'no-domain');
    const selector =
      optionValue(given, 'selector') ?? `pb${new Date(world.clock()).toISOString().slice(0, 7).replace('-', '')}`;
    const keys = makeKeys(selector, domain);
    const taken = keys.find((key) => known.dkim.some((one) => one.selector === key.selector));
    if (taken !== undefined)
      throw cliError(`selector ${taken.selector} is there already: name another with --selector`, 'exists');
    const folder = dirname(file.path);
    await writeKeys(folder, keys);
    let text = file.text;
    const path = ['domains', writtenDomain(text, domain), 'dkim'];
    for (const key of keys)
      text = appendToArray(text, path, { selector: key.selector, privateKey: `file:${key.path}` });
    let notice: string | null;
    try {
      notice = await writeConfigFile(file, text);
    } catch (thrown) {
      for (const { path } of keys) await rm(join(folder, path), { force: true });
      throw thrown;
    }
    const { mx, spf, dmarc } = suggestedRecords(domain, file.config, world.clock());
    const records = [...keys.map(({ record }) => record), mx, spf, dmarc];
    print(given, world, {
      json: { domain, keys: keys.map(({ selector: one, path }) => ({ selector: one, path })), records, notice },
      text: `Wrote ${keys.map(({ path }) => path).join(' and ')} (keep them secret), and ${file.path}.\n${notice === null ? '' : `${notice}\n`}Publish:\n\n${records.map(recordText).join('\n')}`,
    });
    return 0;
  },
};

type NewKey = { readonly selector: string; readonly path: string; readonly pem: string; readonly record: DnsRecord };

function makeKeys(base: string, domain: string): readonly NewKey[] {
  const pairs = [
    { kind: 'rsa', pem: generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey },
    { kind: 'ed25519', pem: generateKeyPairSync('ed25519').privateKey },
  ];
  return pairs.map(({ kind, pem }) => {
    const selector = `${base}-${kind}`;
    return {
      selector,
      path: `dkim/${domain}.${selector}.pem`,
      pem: String(pem.export({ type: 'pkcs8', format: 'pem' })),
      record: dkimRecord({ domain, selector, publicKey: createPublicKey(pem) }),
    };
  });
}

async function writeKeys(folder: string, keys: readonly NewKey[]): Promise<void> {
  await mkdir(join(folder, 'dkim'), { recursive: true, mode: 0o700 });
  for (const { path, pem } of keys) {
    if (!(await writeNew(join(folder, path), pem, 0o600)))
      throw cliError(`${path} is there already, and stays as it is`, 'exists');
  }
}
