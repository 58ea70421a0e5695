// Addresses of ours on the command line: read, shown, and found in the configuration.
import { cliError, usageError } from '#cli/command.ts';
import { type EmailAddress, mailboxName, parseAddress } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import type { DomainConfig } from '#pipeline/config/config.ts';
import { mailboxOf } from './bounce-addresses.ts';
import type { ConfigFile } from './config-file.ts';
import type { OwnCommand } from './config-place.ts';

/** Throws a usage error if it is none. */
export function givenAddress(text: string): EmailAddress {
  const address = parseAddress(text);
  if (isProblem(address)) throw usageError(`${text}: ${address.problem}`);
  return address;
}

/** Without its tag. */
export function shownAddress(address: EmailAddress): string {
  return `${mailboxOf(address)}@${address.domain}`;
}

/** Its domain in the configuration. Throws a CliError if that is not there; `command` writes the one that adds it. */
export function domainOf({ config, path }: ConfigFile, { domain }: EmailAddress, command: OwnCommand): DomainConfig {
  const found = Object.entries(config.domains).find(([name]) => name === domain)?.[1];
  if (found !== undefined) return found;
  const mend = `"${command(`domain add ${domain}`)}" adds it`;
  throw cliError(`${domain} is not among the domains of ${path}: ${mend}`, 'no-domain');
}

/** The target of an alias of `domain` as a whole address, to compare. */
export function targetAddress(target: string, domain: string): string {
  const address = parseAddress(target.includes('@') ? target : `${target}@${domain}`);
  return isProblem(address) ? target : `${mailboxName(address.localPart)}@${address.domain}`;
}

/** The targets of an alias; none if there is no such alias. */
export function targetsOf({ aliases }: DomainConfig, name: string): readonly string[] {
  return Object.entries(aliases).find(([key]) => key === name)?.[1] ?? [];
}

/** Why a mailbox that has an alias of its name must be among the targets of that. */
export function noCopy(mailbox: string): string {
  return `${mailbox} is a mailbox, and would get nothing any more: name it among the targets too, then it keeps a copy`;
}
