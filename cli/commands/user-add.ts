// `pillarbox user add NAME`: a user who may submit mail. The password comes from the terminal or standard input, never from
// the command line, which every program on the machine can read; only its hash is stored.
import { addMailbox, addressesWithoutMailbox, mailboxOf } from '#cli/bounce-addresses.ts';
import { type CliWorld, type Command, cliError, print, usageError } from '#cli/command.ts';
import { type ConfigFile, configOption, readConfigFile, writeConfigFile } from '#cli/config-file.ts';
import type { EmailAddress } from '#mail/address/address.ts';
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
  },
  run: async (given, world) => {
    const name = given.positionals[0] ?? '';
    const mayFrom = given.values['may-from'] ?? [name];
    if (!mayFrom.every((address) => address.includes('@'))) {
      const { config } = await readConfigFile(given, world);
      const domain = Object.keys(config.domains)[0] ?? 'example.org';
      const which = `--may-from ${name}@${domain}, or --may-from "*@${domain}"`;
      throw usageError(`say which sender addresses it may use: ${which}`);
    }
    const place = async (): Promise<{ readonly file: ConfigFile; readonly index: number }> => {
      const file = await readConfigFile(given, world);
      const index = file.config.users.findIndex((user) => user.name === name);
      if (index >= 0 && !given.switches.has('replace'))
        throw cliError(`user ${name} is there already: --replace to change it`, 'exists');
      return { file, index };
    };
    await place();
    const user = { name, password: await hashPassword(await readPassword(world)), mayFrom };
    const { file, index } = await place(); // typing takes a while
    const withUser =
      index < 0 ? appendToArray(file.text, ['users'], user) : setValue(file.text, ['users', index], user);
    const homeless = addressesWithoutMailbox(file.config, user);
    const mailboxes = given.switches.has('no-mailbox') ? [] : homeless;
    const notice = await writeConfigFile(file, mailboxes.reduce(addMailbox, withUser));
    const lines = [
      `${name} may submit mail as ${mayFrom.join(', ')}; written to ${file.path}`,
      ...homeless.map((address) => aboutMailbox(address, mailboxes.includes(address))),
      ...(notice === null ? [] : [notice]),
    ];
    const made = mailboxes.map((address) => `${mailboxOf(address)}@${address.domain}`);
    const json = { name, mayFrom, mailboxes: made, config: file.path, notice };
    print(given, world, { json, text: lines.join('\n') });
    return 0;
  },
};

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
