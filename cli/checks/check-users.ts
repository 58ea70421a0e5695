// Checks the users: their password hashes have today's cost, only the owner can read them, and their bounces have a mailbox.
import { stat } from 'node:fs/promises';
import { shellWord } from '#cli/command.ts';
import { addressesWithoutMailbox, mailboxOf } from '#cli/config/bounce-addresses.ts';
import type { ConfigFile } from '#cli/config/config-file.ts';
import type { ConfigPlace, OwnCommand } from '#cli/config/config-place.ts';
import { formatAddress } from '#mail/address/address.ts';
import type { Config } from '#pipeline/config/config.ts';
import { isOldHash } from '#pipeline/config/password.ts';
import type { Secrets } from '#pipeline/contract/ports.ts';
import { advice, type Finding, unread } from './finding.ts';

type Place = Pick<ConfigPlace, 'stack' | 'command'>;

export async function checkUsers(
  config: Config,
  secrets: Secrets,
  { stack, command }: Place,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const old: string[] = [];
  for (const { name, password } of config.users) {
    try {
      const hash = password.startsWith('scrypt:') ? password : await secrets.read(password);
      if (isOldHash(hash)) old.push(name);
    } catch (thrown) {
      findings.push(unread(`user ${name} cannot log in`, thrown, { run: [passwordCommand(name, command)] }));
    }
  }
  if (old.length > 0) {
    const run = old.map((name) => passwordCommand(name, command));
    const hint = stack !== null ? null : 'A log-in renews it too, where the server can write the file.';
    findings.push(advice(`passwords with an old, cheap hash: ${old.join(', ')}`, { run, hint }));
  }
  return findings;
}

function passwordCommand(name: string, command: OwnCommand): string {
  return command(`user password ${shellWord(name)}`);
}

/** Of a deployment. */
export function checkInlineHashes({ users }: Config, { command }: Pick<Place, 'command'>): readonly Finding[] {
  const inline = users.filter(({ password }) => password.startsWith('scrypt:')).map(({ name }) => name);
  if (inline.length === 0) return [];
  const what = `the password hashes of ${inline.join(', ')} are in the configuration itself, which every function can read`;
  const run = [`${command('config get')} | ${command('config push -')}`];
  return [advice(what, { run, hint: 'That moves them to where the listener alone can.' })];
}

/** Of a file. */
export async function checkPermissions({ path, config }: ConfigFile): Promise<readonly Finding[]> {
  const { mode } = await stat(path);
  const hasHashes = config.users.some(({ password }) => password.startsWith('scrypt:'));
  if (!hasHashes || (mode & 0o077) === 0) return [];
  const what = `${path} has password hashes and can be read by others (mode ${(mode & 0o777).toString(8)})`;
  return [advice(what, { run: [`chmod 600 ${shellWord(path)}`] })];
}

export function checkBounceAddresses(config: Config, { command }: Pick<Place, 'command'>): readonly Finding[] {
  return config.users.flatMap((user) =>
    addressesWithoutMailbox(config, user).map((address) =>
      advice(`user ${user.name} sends as ${formatAddress(address)}, which has no mailbox: bounces to it are lost`, {
        run: [command(`mailbox add ${shellWord(`${mailboxOf(address)}@${address.domain}`)}`)],
      }),
    ),
  );
}
