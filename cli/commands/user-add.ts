// `pillarbox user add NAME`: a user who may submit mail. Only the hash of the password is stored.
import { z } from 'zod';
import { type Command, cliError, usageError } from '#cli/command.ts';
import { addMailbox, addressesWithoutMailbox, mailboxOf } from '#cli/config/bounce-addresses.ts';
import type { ConfigFile } from '#cli/config/config-file.ts';
import { editing } from '#cli/config/edit-command.ts';
import { readPasswordHash } from '#cli/config/read-password.ts';
import { type Domain, type EmailAddress, parseDomain } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import type { Config } from '#pipeline/config/config.ts';
import { appendToArray, setValue } from '#pipeline/config/edit-config.ts';

export const userAdd: Command = editing({
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
  },
  gives: {
    name: z.string(),
    mayFrom: z.array(z.string()),
    foreignDomains: z.array(z.string()),
    mailboxes: z.array(z.string()),
  },
  ready: async ({ given, world, known }) => {
    const name = given.positionals[0] ?? '';
    const mayFrom = given.values['may-from'] ?? [name];
    if (!mayFrom.every((address) => address.includes('@'))) {
      const domain = Object.keys(known.config.domains)[0] ?? 'example.org';
      const which = `--may-from ${name}@${domain}, or --may-from "*@${domain}"`;
      throw usageError(`say which sender addresses it may use: ${which}`);
    }
    const foreign = foreignDomains(known.config, mayFrom);
    const mayReplace = given.switches.has('replace');
    indexOf(known, { name, mayReplace });
    return { user: { name, password: await readPasswordHash(world), mayFrom }, foreign, mayReplace };
  },
  change: (file, { user, mayReplace }, { given }) => {
    const index = indexOf(file, { name: user.name, mayReplace }); // typing takes a while
    const withUser =
      index < 0 ? appendToArray(file.text, ['users'], user) : setValue(file.text, ['users', index], user);
    const homeless = addressesWithoutMailbox(file.config, user);
    const mailboxes = given.switches.has('no-mailbox') ? [] : homeless;
    return { text: mailboxes.reduce(addMailbox, withUser), homeless, mailboxes };
  },
  tells: ({ ready: { user, foreign }, homeless, mailboxes }, { known: { path }, place }) => {
    const { name, mayFrom } = user;
    const made = mailboxes.map((address) => `${mailboxOf(address)}@${address.domain}`);
    return {
      json: { name, mayFrom, foreignDomains: foreign, mailboxes: made },
      lines: [
        `${name} may submit mail as ${mayFrom.join(', ')}; written to ${path}`,
        ...foreign.map((domain) => `${domain} is not among the domains of ${path}: ${whatIsForeign}`),
        ...homeless.map((address) => aboutMailbox(address, mailboxes.includes(address))),
      ],
      ...(place.stack === null ? {} : { next: 'Next: log in at port 587 (STARTTLS) or 465.' }),
    };
  },
});

/** Of a user that may be there only if it is to be replaced; below 0 if it is not. */
function indexOf(
  { config }: ConfigFile,
  { name, mayReplace }: { readonly name: string; readonly mayReplace: boolean },
) {
  const index = config.users.findIndex((user) => user.name === name);
  if (index >= 0 && !mayReplace) throw cliError(`user ${name} is there already: --replace to change it`, 'exists');
  return index;
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
