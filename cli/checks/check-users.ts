// Checks the users: their password hashes have today's cost, only the owner can read them, and their bounces have a mailbox.
import { stat } from 'node:fs/promises';
import { addressesWithoutMailbox, mailboxOf } from '#cli/config/bounce-addresses.ts';
import type { ConfigFile } from '#cli/config/config-file.ts';
import { formatAddress } from '#mail/address/address.ts';
import type { Config } from '#pipeline/config/config.ts';
import { isOldHash } from '#pipeline/config/password.ts';
import type { Secrets } from '#pipeline/contract/ports.ts';
import { advice, type Finding, unread } from './finding.ts';

export async function checkUsers(config: Config, secrets: Secrets): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const old: string[] = [];
  for (const { name, password } of config.users) {
    try {
      const hash = password.startsWith('scrypt:') ? password : await secrets.read(password);
      if (isOldHash(hash)) old.push(name);
    } catch (thrown) {
      findings.push(unread(`user ${name} cannot log in`, thrown));
    }
  }
  if (old.length > 0) {
    const renew = 'a log-in renews it where the server can write the file; else: pillarbox user password NAME';
    findings.push(advice(`passwords with an old, cheap hash: ${old.join(', ')}`, renew));
  }
  return findings;
}

/** Of a deployment named `stack`. */
export function checkInlineHashes({ users }: Config, stack: string): readonly Finding[] {
  const inline = users.filter(({ password }) => password.startsWith('scrypt:')).map(({ name }) => name);
  if (inline.length === 0) return [];
  const what = `the password hashes of ${inline.join(', ')} are in the configuration itself, which every function can read`;
  const mend = `pillarbox config get --stack ${stack} > pillarbox.json, then pillarbox config push pillarbox.json --stack ${stack}, which moves them to where the listener alone can`;
  return [advice(what, mend)];
}

/** Of a file. */
export async function checkPermissions({ path, config }: ConfigFile): Promise<readonly Finding[]> {
  const { mode } = await stat(path);
  const hasHashes = config.users.some(({ password }) => password.startsWith('scrypt:'));
  if (!hasHashes || (mode & 0o077) === 0) return [];
  const what = `${path} has password hashes and can be read by others (mode ${(mode & 0o777).toString(8)})`;
  return [advice(what, `chmod 600 ${path}`)];
}

export function checkBounceAddresses(config: Config): readonly Finding[] {
  return config.users.flatMap((user) =>
    addressesWithoutMailbox(config, user).map((address) =>
      advice(
        `user ${user.name} sends as ${formatAddress(address)}, which has no mailbox: bounces to it are lost`,
        `add "${mailboxOf(address)}" to domains.${address.domain}.mailboxes (or an alias), and nobody misses them`,
      ),
    ),
  );
}
