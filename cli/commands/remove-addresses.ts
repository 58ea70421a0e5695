// `pillarbox mailbox remove`, `alias remove` and `domain remove`: out of the configuration. What is stored stays, and what the configuration
// still names is not taken out of it.
import { z } from 'zod';
import { type Command, cliError, shellWord, usageError } from '#cli/command.ts';
import { mailboxOf } from '#cli/config/bounce-addresses.ts';
import { checkedConfig } from '#cli/config/config-file.ts';
import { type EditContext, editing } from '#cli/config/edit-command.ts';
import { addressNamedBy, domainNamedBy } from '#cli/config/named-by.ts';
import { domainOf, givenAddress, noCopy, shownAddress, targetAddress, targetsOf } from '#cli/config/our-addresses.ts';
import { type EmailAddress, formatAddress, mailboxName, parseDomain } from '#mail/address/address.ts';
import { routeRecipient } from '#mail/envelope/route-recipient.ts';
import { isProblem } from '#mail/problem.ts';
import type { Config } from '#pipeline/config/config.ts';
import { removeFromArray, removeMember, writtenDomain, writtenKey } from '#pipeline/config/edit-config.ts';
import { didYouMean } from '#pipeline/config/nearest-name.ts';

const goesTo = z.array(z.string());

const mailboxRemove = editing({
  name: 'mailbox remove',
  usage: 'ADDRESS [options]',
  about: 'take a mailbox away; the mail in it stays stored',
  takes: [1, 1],
  options: {},
  gives: { mailbox: z.string(), goesTo },
  ready: ({ given }) => givenAddress(given.positionals[0] ?? ''),
  change: (file, address, { place: { command } }) => {
    const { mailboxes } = domainOf(file, address, command);
    const [name, shown] = [mailboxOf(address), shownAddress(address)];
    if (!mailboxes.includes(name)) {
      throw cliError(`${shown} is no mailbox of ${file.path}.${didYouMean(name, mailboxes)}`, 'no-mailbox');
    }
    refuseIfNamed(shown, addressNamedBy(file.config, { what: 'mailbox', address, command }));
    const path = ['domains', writtenDomain(file.text, address.domain), 'mailboxes'];
    const text = mailboxes.reduceRight(
      (so, one, index) => (one === name ? removeFromArray(so, path, index) : so),
      file.text,
    );
    return { text, goesTo: whereTo(checkedConfig(text, file.path), address) };
  },
  tells: ({ ready: address, goesTo: targets }, context) => {
    const mailbox = shownAddress(address);
    return {
      json: { mailbox, goesTo: targets },
      lines: [
        `${mailbox} is no mailbox any more; taken out of ${context.known.path}. ${mailTo(targets)}`,
        whatStays(mailbox, context),
      ],
    };
  },
});

const aliasRemove = editing({
  name: 'alias remove',
  usage: 'ADDRESS [TARGET...] [options]',
  about: 'take an alias away, or some of its targets',
  takes: [1, 1_001],
  options: {},
  gives: { alias: z.string(), targets: z.array(z.string()), goesTo },
  ready: ({ given: { positionals } }) => {
    const [first = '', ...targets] = positionals;
    const address = givenAddress(first);
    return { address, gone: targets.map((target) => targetAddress(target, address.domain)) };
  },
  change: (file, { address, gone }, { place: { command } }) => {
    const home = domainOf(file, address, command);
    const [name, alias] = [mailboxOf(address), shownAddress(address)];
    const targets = targetsOf(home, name);
    if (targets.length === 0) {
      throw cliError(`${alias} is no alias of ${file.path}.${didYouMean(name, Object.keys(home.aliases))}`, 'no-alias');
    }
    const known = targets.map((target) => targetAddress(target, address.domain));
    const other = gone.find((target) => !known.includes(target));
    if (other !== undefined) {
      throw cliError(`${alias} does not lead to ${other}: it leads to ${targets.join(', ')}`, 'no-target');
    }
    const isGone = (index: number): boolean => gone.length === 0 || gone.includes(known[index] ?? '');
    const left = targets.filter((_, index) => !isGone(index));
    const keepsCopy = known.some((target, index) => target === alias && !isGone(index));
    if (left.length === 0) refuseIfNamed(alias, addressNamedBy(file.config, { what: 'alias', address, command }));
    else if (home.mailboxes.includes(name) && !keepsCopy) throw cliError(noCopy(alias), 'no-copy');
    const path = ['domains', writtenDomain(file.text, address.domain), 'aliases'];
    const isMeant = (one: string): boolean => mailboxName(one) === name;
    const key = writtenKey(file.text, path, isMeant) ?? name;
    const text =
      left.length === 0
        ? withoutMembers(file.text, path, isMeant)
        : targets.reduceRight(
            (so, _, index) => (isGone(index) ? removeFromArray(so, [...path, key], index) : so),
            file.text,
          );
    return { text, left, goesTo: whereTo(checkedConfig(text, file.path), address) };
  },
  tells: ({ ready: { address }, left, goesTo: targets }, { known: { path } }) => {
    const alias = shownAddress(address);
    const line =
      left.length === 0
        ? `${alias} is no alias any more; taken out of ${path}. ${mailTo(targets)}`
        : `${alias} leads to ${left.join(', ')}; written to ${path}`;
    return { json: { alias, targets: left, goesTo: targets }, lines: [line] };
  },
});

const domainRemove = editing({
  name: 'domain remove',
  usage: 'DOMAIN [options]',
  about: 'take no mail for a domain any more; its mail and its DKIM keys stay stored',
  takes: [1, 1],
  options: {},
  gives: {
    domain: z.string(),
    mailboxes: z.array(z.string()),
    aliases: z.array(z.string()),
    keys: z.array(z.strictObject({ selector: z.string(), reference: z.string() })),
  },
  ready: ({ given }) => {
    const domain = parseDomain(given.positionals[0] ?? '');
    if (isProblem(domain)) throw usageError(domain.problem);
    return domain;
  },
  change: (file, domain, { place: { command } }) => {
    const { domains } = file.config;
    const home = Object.entries(domains).find(([name]) => name === domain)?.[1];
    if (home === undefined) {
      const meant = didYouMean(domain, Object.keys(domains));
      throw cliError(`${domain} is not among the domains of ${file.path}.${meant}`, 'no-domain');
    }
    refuseIfNamed(domain, domainNamedBy(file.config, domain, command));
    const isLast = Object.keys(domains).length === 1;
    return {
      text: withoutMembers(file.text, ['domains'], (name) => parseDomain(name) === domain),
      home,
      notices: isLast ? [`No domain is left in ${file.path}: mail is taken for none.`] : [],
    };
  },
  tells: ({ ready: domain, home }, context) => {
    const { mailboxes, dkim } = home;
    const aliases = Object.keys(home.aliases);
    const keys = dkim.map(({ selector, privateKey }) => ({ selector, reference: privateKey }));
    const along = [namesText('mailbox', 'mailboxes', mailboxes), namesText('alias', 'aliases', aliases)].filter(
      Boolean,
    );
    const went = along.length === 0 ? '' : `, with its ${along.join(' and its ')}`;
    return {
      json: { domain, mailboxes, aliases, keys },
      lines: [
        `Mail for ${domain} is refused from now on; taken out of ${context.known.path}${went}.`,
        'Lead its MX record elsewhere, or take it out of the DNS.',
        whatStays(`@${domain}`, context),
        ...(keys.length === 0 ? [] : [keysStay(domain, keys)]),
      ],
    };
  },
});

/** In the order of the help. */
export const removeCommands: readonly Command[] = [mailboxRemove, aliasRemove, domainRemove];

/** A name may be written twice, in other letters. */
function withoutMembers(text: string, path: readonly string[], isMeant: (key: string) => boolean): string {
  const key = writtenKey(text, path, isMeant);
  return key === null ? text : withoutMembers(removeMember(text, path, key), path, isMeant);
}

function refuseIfNamed(what: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  throw cliError(
    `${what} stays, because it is still named by\n${lines.map((line) => `  ${line}`).join('\n')}`,
    'in-use',
  );
}

/** The addresses that mail for one of ours goes to; none: it is refused. */
function whereTo(config: Config, address: EmailAddress): readonly string[] {
  const routing = routeRecipient({ ...config, mode: 'serve' }, address, { mayRelay: false });
  const routes = routing.outcome === 'accepted' ? routing.routes : [];
  return routes.flatMap((route) => {
    if (route.kind === 'mailbox') return [`${route.mailbox.localPart}@${route.mailbox.domain}`];
    return route.kind === 'forward' ? route.to : [formatAddress(address)];
  });
}

function mailTo(targets: readonly string[]): string {
  return targets.length === 0
    ? 'Mail for it is refused from now on.'
    : `Mail for it goes to ${targets.join(', ')} from now on.`;
}

/** `mailbox`: as `--mailbox` takes it. */
function whatStays(mailbox: string, { place, given }: EditContext): string {
  const ofMailbox = (name: string): string => {
    const words = `${name} --mailbox ${shellWord(mailbox)}`;
    return place.stack === null ? `${given.self} ${words}` : place.command(words);
  };
  return `What it holds stays stored: "${ofMailbox('list')}" lists it, "${ofMailbox('delete')}" deletes it.`;
}

function keysStay(domain: string, keys: readonly { readonly selector: string; readonly reference: string }[]): string {
  const all = keys.map(({ selector, reference }) => `${reference} (${selector}._domainkey.${domain})`);
  const when = 'Once nothing that they signed is under way, delete them and their records in the DNS.';
  return `Its DKIM keys stay, and sign nothing any more: ${all.join(', ')}. ${when}`;
}

function namesText(one: string, many: string, names: readonly string[]): string {
  return names.length === 0 ? '' : `${names.length === 1 ? one : many} ${names.join(', ')}`;
}
