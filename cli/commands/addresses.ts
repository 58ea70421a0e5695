// `pillarbox mailbox add ADDRESS` and `pillarbox alias add ADDRESS TARGET…`: where mail for an address of ours goes.
import { z } from 'zod';
import { type Command, cliError, usageError } from '#cli/command.ts';
import { addMailbox, mailboxOf } from '#cli/config/bounce-addresses.ts';
import { checkedConfig } from '#cli/config/config-file.ts';
import type { OwnCommand } from '#cli/config/config-place.ts';
import { editing } from '#cli/config/edit-command.ts';
import { domainOf, givenAddress, noCopy, shownAddress, targetAddress, targetsOf } from '#cli/config/our-addresses.ts';
import { type EmailAddress, mailboxName, parseAddress } from '#mail/address/address.ts';
import { routeRecipient } from '#mail/envelope/route-recipient.ts';
import { isProblem } from '#mail/problem.ts';
import type { Config, DomainConfig } from '#pipeline/config/config.ts';
import { appendToArray, writtenDomain, writtenKey } from '#pipeline/config/edit-config.ts';

const mailboxAdd = editing({
  name: 'mailbox add',
  usage: 'ADDRESS [options]',
  about: 'make a mailbox for an address in one of the domains here',
  takes: [1, 1],
  options: {},
  gives: { mailbox: z.string() },
  ready: ({ given, place, known }) => {
    const address = givenAddress(given.positionals[0] ?? '');
    refuseIfTaken(domainOf(known, address, place.command), address);
    return { address };
  },
  change: (file, { address }, { place }) => {
    refuseIfTaken(domainOf(file, address, place.command), address);
    return { text: addMailbox(file.text, address) };
  },
  tells: ({ ready: { address } }, { known: { path } }) => {
    const mailbox = shownAddress(address);
    return { json: { mailbox }, lines: [`${mailbox} is a mailbox now; written to ${path}`] };
  },
});

const aliasAdd = editing({
  name: 'alias add',
  usage: 'ADDRESS TARGET... [options]',
  about: 'lead an address in one of the domains here to mailboxes of that domain, or to whole addresses',
  takes: [2, 1_001],
  options: {},
  gives: { alias: z.string(), targets: z.array(z.string()) },
  ready: ({ given, place, known }) => {
    const [first = '', ...targets] = given.positionals;
    const address = givenAddress(first);
    for (const target of targets) refuseUnlessTarget(target, address);
    domainOf(known, address, place.command);
    return { address, targets };
  },
  change: (file, { address, targets }, { place }) => {
    const home = domainOf(file, address, place.command);
    const { mailboxes } = home;
    const known = targetsOf(home, mailboxOf(address));
    const keepsCopy = [...known, ...targets].some(
      (target) => targetAddress(target, address.domain) === shownAddress(address),
    );
    if (mailboxes.includes(mailboxOf(address)) && !keepsCopy) throw cliError(noCopy(shownAddress(address)), 'exists');
    const isKnown = (target: string) =>
      known.some((one) => targetAddress(one, address.domain) === targetAddress(target, address.domain));
    const added = targets.filter((target, n) => !isKnown(target) && targets.indexOf(target) === n);
    if (added.length === 0) throw cliError(`${shownAddress(address)} leads there already`, 'exists');
    const aliases = ['domains', writtenDomain(file.text, address.domain), 'aliases'];
    const name = writtenKey(file.text, aliases, (key) => mailboxName(key) === mailboxOf(address)) ?? mailboxOf(address);
    const text = added.reduce((so, target) => appendToArray(so, [...aliases, name], target), file.text);
    refuseDeadEnds(
      checkedConfig(text, file.path),
      added.map((target) => targetAddress(target, address.domain)),
      place.command,
    );
    return { text, targets: [...known, ...added] };
  },
  tells: ({ ready: { address }, targets }, { known: { path } }) => {
    const alias = shownAddress(address);
    return { json: { alias, targets }, lines: [`${alias} leads to ${targets.join(', ')}; written to ${path}`] };
  },
});

/** In the order of the help. */
export const addressCommands: readonly Command[] = [mailboxAdd, aliasAdd];

function refuseIfTaken({ mailboxes, aliases }: DomainConfig, address: EmailAddress): void {
  const name = mailboxOf(address);
  const what = mailboxes.includes(name) ? 'a mailbox' : Object.hasOwn(aliases, name) ? 'an alias' : null;
  if (what !== null) throw cliError(`${shownAddress(address)} is ${what} already`, 'exists');
}

function refuseUnlessTarget(target: string, { domain }: EmailAddress): void {
  const address = parseAddress(target.includes('@') ? target : `${target}@${domain}`);
  if (isProblem(address)) throw usageError(`${target}: ${address.problem}`);
}

/** Mail to an address of ours that is nowhere would be refused. */
function refuseDeadEnds(config: Config, targets: readonly string[], command: OwnCommand): void {
  for (const target of targets) {
    const routing = routeRecipient({ ...config, mode: 'serve' }, givenAddress(target), { mayRelay: true });
    if (routing.outcome === 'accepted') continue;
    const mend = `make it with "${command(`mailbox add ${target}`)}" first`;
    throw cliError(`${target} is neither a mailbox nor an alias that leads anywhere: ${mend}`, 'no-mailbox');
  }
}
