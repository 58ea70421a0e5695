// Where the private keys of DKIM are kept: files beside the configuration, or secrets of a deployment. None is ever overwritten.
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cliError } from '#cli/command.ts';
import type { Domain } from '#mail/address/address.ts';
import { writeNew } from './config-file.ts';
import type { ConfigPlace } from './config-place.ts';

export type NewKey = { readonly domain: Domain; readonly selector: string; readonly key: KeyObject };

/** `path`: the file, or the secret's whole name; `reference`: how the configuration names it. */
type KeptKey = NewKey & { readonly path: string; readonly reference: string };

/** `where`: in words. `undo`: if the configuration could not be written. */
export type KeptKeys = {
  readonly keys: readonly KeptKey[];
  readonly where: string;
  readonly undo: () => Promise<void>;
};

/** Files that only their owner can read, below the folder of the configuration. */
export async function keepInFiles(configPath: string, keys: readonly NewKey[]): Promise<KeptKeys> {
  const folder = dirname(configPath);
  const kept = keys.map((one): KeptKey => {
    const path = `dkim/${one.domain}.${one.selector}.pem`;
    return { ...one, path, reference: `file:${path}` };
  });
  await mkdir(join(folder, 'dkim'), { recursive: true, mode: 0o700 });
  for (const { path, key } of kept) {
    if (!(await writeNew(join(folder, path), pemOf(key), 0o600)))
      throw cliError(`${path} is there already, and stays as it is`, 'exists');
  }
  return {
    keys: kept,
    where: `${kept.map(({ path }) => path).join(' and ')} (keep them secret)`,
    undo: async () => {
      for (const { path } of kept) await rm(join(folder, path), { force: true });
    },
  };
}

/**
 * Secrets `dkim-DOMAIN-SELECTOR`, which function deliver may read. One that is there already is used if it is such a key: an earlier try
 * made it and could not write the configuration. So nothing is to be undone.
 */
export async function keepInSecrets(
  { name: stack, deployed }: NonNullable<ConfigPlace['stack']>,
  keys: readonly NewKey[],
): Promise<KeptKeys> {
  const kept: KeptKey[] = [];
  for (const one of keys) {
    const { domain, selector, key } = one;
    const name = `dkim-${domain}-${selector}`;
    const reference = `secret:${name}`;
    const path = `${stack}/${name}`;
    const description = `DKIM key of ${domain}, selector ${selector}`;
    const made = await deployed.makeSecret(name, { value: pemOf(key), description });
    const used = made === 'made' ? key : keyThere(await deployed.secrets.read(reference), key);
    if (used === null) {
      throw cliError(`secret ${path} is there already and no such key: name another with --selector`, 'exists');
    }
    kept.push({ ...one, key: used, path, reference });
  }
  return {
    keys: kept,
    where: `the secrets ${kept.map(({ path }) => path).join(' and ')}`,
    undo: async () => undefined,
  };
}

/** The key that a secret holds, if it is of the kind of the new one; else null. */
function keyThere(text: string, { asymmetricKeyType }: KeyObject): KeyObject | null {
  try {
    const key = createPrivateKey(text);
    return key.asymmetricKeyType === asymmetricKeyType ? key : null;
  } catch {
    return null;
  }
}

function pemOf(key: KeyObject): string {
  return String(key.export({ type: 'pkcs8', format: 'pem' }));
}
