// `pillarbox user add NAME`: a user who may submit mail. The password comes from the terminal or standard input, never from
// the command line, which every program on the machine can read; only its hash is stored.

import { type CliWorld, type Command, cliError, print, type Shown, usageError } from '#cli/command.ts';
import { addMailbox, addressesWithoutMailbox, mailboxOf } from '#cli/config/bounce-addresses.ts';
import { type ConfigFile, configOption } from '#cli/config/config-file.ts';
import { withConfig } from '#cli/config/config-place.ts';
import { stackOptions } from '#cli/deployment.ts';
import type { EmailAddress } from '#mail/address/address.ts';
import { type Domain, parseDomain } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import type { Config } from '#pipeline/config/config.ts';
import { appendToArray, setValue } from '#pipeline/config/edit-config.ts';
import { hashPassword } from '#pipeline/config/password.ts';

const minLength = 8;

export const userAdd: Command = {
  name: 'user add',
  usage: 'NAME [--may-from ADDRESS] [options]',
  about: 'let somebody submit mail (the password is asked for, or read from standard input)',
  takes: [1, 1],
  options: {
    'may-from': {
      value: 'ADDRESS',
      about: 'a sender address it may use, or *@domain; again for more (default NAME)',
      many: true,
    },
    'no-mailbox': {
      value: null,
      about: 'make no mailboxes for its addresses in domains here: bounces to them are lost',
    },
    replace: { value: null, about: 'give a user that is there already this password and these addresses' },
    ...configOption,
    ...stackOptions,
  },
  run: (given, world) =>
    withConfig(given, world, async (place) => {
      const name = given.positionals[0] ?? '';
      const mayFrom = given.values['may-from'] ?? [name];
      const known = await place.read();
      if (!mayFrom.every((address) => address.includes('@'))) {
        const domain = Object.keys(known.config.domains)[0] ?? 'example.org';
        const which = `--may-from ${name}@${domain}, or --may-from "*@${domain}"`;
        throw usageError(`say which sender addresses it may use: ${which}`);
      }
      const foreign = foreignDomains(known.config, mayFrom);
      const mayReplace = given.switches.has('replace');
      const indexOf = ({ config }: ConfigFile): number => {
        const index = config.users.findIndex((user) => user.name === name);
        if (index >= 0 && !mayReplace)
          throw cliError(`user ${name} is there already: --replace to change it`, 'exists');
        return index;
      };
      indexOf(known);
      const user = { name, password: await hashPassword(await readPassword(world)), mayFrom };
      const added = await place.edit((file) => {
        const index = indexOf(file); // typing takes a while
        const withUser =
          index < 0 ? appendToArray(file.text, ['users'], user) : setValue(file.text, ['users', index], user);
        const homeless = addressesWithoutMailbox(file.config, user);
        const mailboxes = given.switches.has('no-mailbox') ? [] : homeless;
        return { text: mailboxes.reduce(addMailbox, withUser), homeless, mailboxes };
      });
      const isDeployed = place.stack !== null;
      print(given, world, shown({ ...added, name, mayFrom, foreign, path: known.path, isDeployed }));
      return 0;
    }),
};

type Added = {
  readonly name: string;
  readonly mayFrom: readonly string[];
  /** Domains of `mayFrom` that the configuration does not have. */
  readonly foreign: readonly Domain[];
  readonly homeless: readonly EmailAddress[];
  readonly mailboxes: readonly EmailAddress[];
  readonly notices: readonly string[];
  readonly path: string;
  readonly isDeployed: boolean;
};

function shown({ name, mayFrom, foreign, homeless, mailboxes, notices, path, isDeployed }: Added): Shown {
  const inForce = 'In force within half a minute. Next: log in at port 587 (STARTTLS) or 465.';
  const lines = [
    `${name} may submit mail as ${mayFrom.join(', ')}; written to ${path}`,
    ...foreign.map((domain) => `${domain} is not among the domains of ${path}: ${whatIsForeign}`),
    ...homeless.map((address) => aboutMailbox(address, mailboxes.includes(address))),
    ...notices,
    ...(isDeployed ? [inForce] : []),
  ];
  const made = mailboxes.map((address) => `${mailboxOf(address)}@${address.domain}`);
  const notice = notices.length === 0 ? null : notices.join('\n');
  return {
    json: { name, mayFrom, foreignDomains: foreign, mailboxes: made, config: path, notice },
    text: lines.join('\n'),
  };
}

const whatIsForeign = 'mail from it leaves without a DKIM signature, and its bounces go to the servers of that domain';

/** Throws a usage error if an address ends in no domain. */
function foreignDomains({ domains, hostname }: Config, mayFrom: readonly string[]): readonly Domain[] {
  const found = new Set<Domain>();
  for (const pattern of mayFrom) {
    const text = pattern.slice(pattern.lastIndexOf('@') + 1);
    if (text === '*') continue;
    const domain = parseDomain(text.replace(/^\*\./, ''));
    if (isProblem(domain)) throw usageError(`${pattern}: ${domain.problem}`);
    const isBelow = text.startsWith('*.');
    const ours = [hostname, ...Object.keys(domains)];
    if (!ours.some((one) => (isBelow ? one.endsWith(`.${domain}`) : one === domain))) found.add(domain);
  }
  return [...found];
}

function aboutMailbox(address: EmailAddress, isMade: boolean): string {
  const mailbox = `${mailboxOf(address)}@${address.domain}`;
  return isMade
    ? `${mailbox} is a mailbox now: bounces of what is sent from it come there`
    : `${mailbox} is no mailbox: bounces of what is sent from it are lost`;
}

async function readPassword(world: CliWorld): Promise<string> {
  const password = world.askSecretly === null ? firstLine(await world.readInput()) : await askTwice(world.askSecretly);
  if (password.length < minLength) throw cliError(`a password has at least ${minLength} characters`, 'weak-password');
  return password;
}

async function askTwice(ask: (question: string) => Promise<string>): Promise<string> {
  const password = await ask('Password: ');
  if ((await ask('Again: ')) !== password) throw cliError('the two are not the same: nothing was changed', 'mistyped');
  return password;
}

function firstLine(input: Buffer): string {
  return input.toString('utf8').split(/\r?\n/)[0] ?? '';
}
