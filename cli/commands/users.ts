// `pillarbox user list`, `password` and `remove`: who may submit mail.

import { z } from 'zod';
import { type Command, cliError, print, table } from '#cli/command.ts';
import { type ConfigFile, configOption } from '#cli/config/config-file.ts';
import { withConfig } from '#cli/config/config-place.ts';
import { editing } from '#cli/config/edit-command.ts';
import { readPasswordHash } from '#cli/config/read-password.ts';
import { stackOptions } from '#cli/deployment.ts';
import { exitCodes } from '#cli/exit-codes.ts';
import { removeFromArray, setValue } from '#pipeline/config/edit-config.ts';
import { didYouMean } from '#pipeline/config/nearest-name.ts';

const list: Command = {
  name: 'user list',
  usage: '[options]',
  about: 'list who may submit mail, as whom, and where the password hash is',
  takes: [0, 0],
  options: { ...configOption, ...stackOptions },
  gives: z.strictObject({
    users: z.array(z.strictObject({ name: z.string(), mayFrom: z.array(z.string()), password: z.string() })),
    config: z.string(),
  }),
  run: (given, world) =>
    withConfig(given, world, async (place) => {
      const { config, path } = await place.read();
      const users = config.users.map(({ name, mayFrom, password }) => ({
        name,
        mayFrom,
        password: shownHash(password),
      }));
      const rows = users.map(({ name, mayFrom, password }) => [name, mayFrom.join(', '), password]);
      const none = `Nobody may submit mail: "${place.command('user add NAME')}" lets somebody.`;
      const text = rows.length === 0 ? none : table(['NAME', 'MAY SEND AS', 'PASSWORD'], rows, given.columns);
      print(given, world, { json: { users, config: path }, text });
      return exitCodes.done;
    }),
};

/** Never the hash itself: `hash` for one in the configuration, `stored` for one that a deployment keeps; else the reference to it. */
function shownHash(password: string): string {
  return /^(?:scrypt|stored):/.test(password) ? password.replace(/^scrypt:.*/, 'hash').replace(/:.*/, '') : password;
}

const password = editing({
  name: 'user password',
  usage: 'NAME [options]',
  about: 'give a user another password (it is asked for, or read from standard input); its addresses stay',
  takes: [1, 1],
  options: {},
  gives: { name: z.string() },
  ready: async ({ given, world, known }) => {
    const name = given.positionals[0] ?? '';
    indexOf(known, name);
    return { name, hash: await readPasswordHash(world) };
  },
  change: (file, { name, hash }) => {
    const index = indexOf(file, name);
    const before = file.config.users[index]?.password ?? '';
    const unread = `${before} is not read for ${name} any more`;
    const isReference = !/^(?:scrypt|stored):/.test(before);
    return {
      text: setValue(file.text, ['users', index, 'password'], hash),
      ...(isReference ? { notices: [unread] } : {}),
    };
  },
  tells: ({ ready: { name } }, { known: { path } }) => ({
    json: { name },
    lines: [`${name} has a new password; written to ${path}. Sessions that are logged in with the old one end.`],
  }),
});

const remove = editing({
  name: 'user remove',
  usage: 'NAME [options]',
  about: 'let somebody submit mail no longer; mailboxes stay',
  takes: [1, 1],
  options: {},
  gives: { name: z.string() },
  ready: ({ given, known }) => {
    const name = given.positionals[0] ?? '';
    indexOf(known, name);
    return { name };
  },
  change: (file, { name }) => ({ text: removeFromArray(file.text, ['users'], indexOf(file, name)) }),
  tells: ({ ready: { name } }, { known: { path } }) => ({
    json: { name },
    lines: [`${name} may submit mail no longer; taken out of ${path}. Its open sessions end.`],
  }),
});

/** In the order of the help. */
export const userCommands: readonly Command[] = [list, password, remove];

function indexOf({ config, path }: ConfigFile, name: string): number {
  const index = config.users.findIndex((user) => user.name === name);
  if (index >= 0) return index;
  const meant = didYouMean(
    name,
    config.users.map((user) => user.name),
  );
  throw cliError(`there is no user ${name} in ${path}.${meant}`, 'no-user');
}
