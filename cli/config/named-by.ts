// What of a configuration still names an address or a domain that is to be taken out of it: each a line for people that says where, with
// the command that takes the name away, if there is one.
import { shellWord } from '#cli/command.ts';
import { type EmailAddress, parseAddress } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import type { Config } from '#pipeline/config/config.ts';
import { mailboxOf } from './bounce-addresses.ts';
import type { OwnCommand } from './config-place.ts';
import { shownAddress, targetAddress } from './our-addresses.ts';

/** `what`: the mailbox of this name, or the alias. `command`: writes those that take names away. */
type Gone = { readonly what: 'mailbox' | 'alias'; readonly address: EmailAddress; readonly command: OwnCommand };

/** Empty if it can go: a name that is a mailbox and an alias is there as long as one of them is. */
export function addressNamedBy(config: Config, { what, address, command }: Gone): readonly string[] {
  const { domain } = address;
  const [name, shown] = [mailboxOf(address), shownAddress(address)];
  const home = config.domains[domain];
  const isMailbox = what === 'mailbox';
  const stays = isMailbox ? Object.hasOwn(home?.aliases ?? {}, name) : home?.mailboxes.includes(name) === true;
  const isMeant = (text: string): boolean => {
    const other = parseAddress(text);
    return !isProblem(other) && shownAddress(other) === shown;
  };
  // What an alias says itself goes with it; a mailbox may be the copy that the alias of its name keeps.
  const aliases = aliasesTo(config, isMeant).filter(({ alias }) => (alias === shown ? isMailbox : !stays));
  return [
    ...(isMailbox && home?.catchAll === name ? [`the setting "catchAll" of ${domain}`] : []),
    ...aliases.map((one) => aliasLine(one, command)),
    ...(stays ? [] : usersOf(config, command, isMeant)),
    ...(isMailbox ? hooksOf(config, { name, domain }) : []),
  ];
}

/** Empty if it can go. What the domain says itself goes with it. */
export function domainNamedBy(config: Config, domain: string, command: OwnCommand): readonly string[] {
  const isIn = (text: string): boolean => text.slice(text.lastIndexOf('@') + 1).toLowerCase() === domain;
  const aliases = aliasesTo(config, isIn).filter(({ alias }) => !isIn(alias));
  return [
    ...aliases.map((one) => aliasLine(one, command)),
    ...usersOf(config, command, isIn),
    ...hooksOf(config, { name: null, domain }),
  ];
}

type Leading = { readonly alias: string; readonly targets: readonly string[] };

/** `isMeant`: whether a target, as a whole address, is what goes. */
function aliasesTo({ domains }: Config, isMeant: (target: string) => boolean): readonly Leading[] {
  return Object.entries(domains).flatMap(([domain, { aliases }]) =>
    Object.entries(aliases).flatMap(([name, all]) => {
      const targets = all.filter((target) => isMeant(targetAddress(target, domain)));
      return targets.length === 0 ? [] : [{ alias: `${name}@${domain}`, targets }];
    }),
  );
}

function aliasLine({ alias, targets }: Leading, command: OwnCommand): string {
  return `the alias ${alias}: "${command(`alias remove ${[alias, ...targets].map(shellWord).join(' ')}`)}"`;
}

function usersOf({ users }: Config, command: OwnCommand, isMeant: (address: string) => boolean): readonly string[] {
  return users.flatMap(({ name, mayFrom }) => {
    const named = mayFrom.filter(isMeant);
    if (named.length === 0 && !isMeant(name)) return [];
    const as = named.length === 0 ? '' : `, who may send as ${named.join(', ')}`;
    return [`the user ${name}${as}: "${command(`user remove ${shellWord(name)}`)}"`];
  });
}

/** Hooks whose `match` names it as it is, without a `*`, and means no other of the same name. `name`: null for the whole domain. */
function hooksOf(
  { hooks, domains }: Config,
  { name, domain }: { readonly name: string | null; readonly domain: string },
): readonly string[] {
  const others = Object.entries(domains).flatMap(([other, { mailboxes }]) =>
    other !== domain && name !== null && mailboxes.includes(name) ? [other] : [],
  );
  return hooks.flatMap(({ name: hook, match }) => {
    const hasDomain = (one: string): boolean => match.domain === undefined || isNamed(match.domain, one);
    const isMeant =
      name === null
        ? isNamed(match.domain, domain)
        : isNamed(match.mailbox, name) && hasDomain(domain) && !others.some(hasDomain);
    return isMeant ? [`the hook ${hook}: its "match"`] : [];
  });
}

function isNamed(patterns: string | readonly string[] | undefined, value: string): boolean {
  return [patterns ?? []].flat().some((pattern) => pattern.toLowerCase() === value);
}
