// Where a recipient's mail goes: a mailbox, an alias, the catch-all, outside, or nowhere. Decided at RCPT, so that mail to an unknown
// recipient is never acknowledged. `%` and `!` in a local part are characters like others: no routing by them.
import {
  type Domain,
  type EmailAddress,
  formatAddress,
  mailboxName,
  parseAddress,
  splitTag,
} from '#mail/address/address.ts';
import type { SrsReverse } from '#mail/address/srs.ts';
import { isProblem } from '#mail/problem.ts';
import { replies } from '#mail/smtp/replies.ts';
import type { Reply } from '#mail/smtp/reply.ts';
import type { Route } from './recipient.ts';

/** Domains, mailboxes and aliases here, in the form of the configuration. */
export type Directory = {
  readonly mode: 'serve' | 'capture';
  readonly hostname: string;
  readonly domains: Readonly<Record<string, DirectoryDomain>>;
};

/** One domain of ours. Names are in the form of `mailboxName`. */
type DirectoryDomain = {
  readonly mailboxes: readonly string[];
  readonly aliases: Readonly<Record<string, readonly string[]>>;
  readonly catchAll: string | null;
};

/** `unknown-mailbox`: the domain is ours. `relay-denied`: it is not. `bad-srs`: a forged or expired return address. */
const refusals = {
  'unknown-mailbox': replies.unknownMailbox,
  'relay-denied': replies.relayDenied,
  'bad-srs': replies.unknownMailbox,
} as const;
type RefusalReason = keyof typeof refusals;

/** All ways the mail takes (never none), or why not, with a sentence for the peer. */
export type RecipientRouting =
  | { readonly outcome: 'accepted'; readonly routes: readonly Route[] }
  | { readonly outcome: 'refused'; readonly reason: RefusalReason; readonly text: string };

/** What the session may do, and how SRS addresses are turned back (left out: they are names like others). */
export type RoutingOptions = {
  readonly mayRelay: boolean;
  readonly srs?: (address: EmailAddress) => SrsReverse;
};

/** Decides for one recipient. For `<postmaster>` pass {@link postmasterAddress} of mail/address/path.ts. */
export function routeRecipient(
  directory: Directory,
  address: EmailAddress,
  { mayRelay, srs }: RoutingOptions,
): RecipientRouting {
  if (directory.mode === 'capture') return accepted([mailboxRoute(address.domain, address.localPart)]);
  if (!isLocalDomain(directory, address.domain)) {
    return mayRelay ? accepted([{ kind: 'relay' }]) : refused('relay-denied', 'Relay access denied');
  }
  const reversed = srs?.(address) ?? { outcome: 'not-srs' as const };
  switch (reversed.outcome) {
    case 'address':
      return accepted([{ kind: 'forward', to: [reversed.reversePath] }]);
    case 'refused':
      return refused('bad-srs', `Not a return address of ours: ${reversed.reason}`);
    case 'not-srs':
      return routeLocal(directory, address);
  }
}

/** Says whether mail for a domain is for us: one that is configured, or this host itself. */
function isLocalDomain(directory: Pick<Directory, 'hostname' | 'domains'>, domain: string): boolean {
  return domain === directory.hostname || Object.hasOwn(directory.domains, domain);
}

/** The reply for a refused recipient. */
export function refusalReply({ reason, text }: Extract<RecipientRouting, { outcome: 'refused' }>): Reply {
  return { ...refusals[reason], text };
}

function routeLocal(directory: Directory, { localPart, domain }: EmailAddress): RecipientRouting {
  const { name, tag } = splitTag(localPart);
  const home = domainOf(directory, domain);
  const isPostmaster = mailboxName(name) === 'postmaster'; // RFC 5321 §4.5.1: always there, case ignored
  if (home !== null && hasName(home, localPart)) return expand(directory, { domain, name: localPart, tag: null });
  if (home !== null && hasName(home, name)) return expand(directory, { domain, name, tag });
  if (home?.catchAll !== null && home?.catchAll !== undefined) {
    return accepted([mailboxRoute(domain, home.catchAll, tag)]);
  }
  if (!isPostmaster) return refused('unknown-mailbox', `No such mailbox here: ${shown(localPart)}`);
  const other = home === null ? findPostmaster(directory) : null;
  return other === null ? accepted([mailboxRoute(domain, 'postmaster', tag)]) : expand(directory, { ...other, tag });
}

/** The host itself is no configured domain: its postmaster is the first one that is configured. */
function findPostmaster(directory: Directory): { domain: string; name: string } | null {
  const entry = Object.entries(directory.domains).find(([, domain]) => hasName(domain, 'postmaster'));
  return entry === undefined ? null : { domain: entry[0], name: 'postmaster' };
}

type Target = { readonly domain: string; readonly name: string; readonly tag: string | null };

/**
 * Follows aliases from a name to all it leads to. Each alias is entered once: that cuts loops and bounds the work. A name
 * that is an alias of itself too keeps a copy in its mailbox. No mailbox and no outside address is named twice.
 */
function expand(directory: Directory, start: Target): RecipientRouting {
  const mailboxes = new Map<string, Route>();
  const outside = new Set<string>();
  const entered = new Set<string>();
  const waiting: Target[] = [start];
  const keep = (target: Target) => {
    const home = homeOf(directory, target);
    if (!mailboxes.has(targetKey(home))) mailboxes.set(targetKey(home), mailboxRoute(home.domain, home.name, home.tag));
  };
  for (const target of waiting) {
    const targets = aliasTargets(directory, target);
    const isEntered = entered.has(targetKey(target));
    if (targets === null || (isEntered && hasMailbox(directory, target))) keep(target);
    if (targets === null || isEntered) continue;
    entered.add(targetKey(target));
    for (const led of targets.map((text) => readTarget(directory, text, target))) {
      if (typeof led === 'string') outside.add(led);
      else if (targetKey(led) === targetKey(target)) keep(led);
      else waiting.push(led);
    }
  }
  const [first, ...others] = outside;
  const forwards: Route[] = first === undefined ? [] : [{ kind: 'forward', to: [first, ...others] }];
  const routes = [...mailboxes.values(), ...forwards];
  return routes.length > 0 ? accepted(routes) : refused('unknown-mailbox', 'The alias leads to no address');
}

/** A name without a mailbox falls to its domain's catch-all; where there is none it gets one: the operator wrote it. */
function homeOf(directory: Directory, target: Target): Target {
  const catchAll = hasMailbox(directory, target) ? null : (domainOf(directory, target.domain)?.catchAll ?? null);
  return catchAll === null ? target : { ...target, name: catchAll };
}

function targetKey({ domain, name }: Pick<Target, 'domain' | 'name'>): string {
  return `${mailboxName(name)}@${domain}`;
}

/** A target as a local one, or as the outside address it is. The tag of the address that led here is passed on. */
function readTarget(directory: Directory, text: string, from: Target): Target | string {
  const address = text.includes('@') ? parseAddress(text) : null;
  if (address !== null && !isProblem(address) && !isLocalDomain(directory, address.domain)) {
    return formatAddress(address);
  }
  const { localPart, domain } =
    address === null || isProblem(address) ? { localPart: text, domain: from.domain } : address;
  const home = domainOf(directory, domain);
  if (home !== null && hasName(home, localPart)) return { domain, name: localPart, tag: from.tag };
  const { name, tag } = splitTag(localPart);
  return { domain, name, tag: tag ?? from.tag };
}

function aliasTargets(directory: Directory, { domain, name }: Target): readonly string[] | null {
  const aliases = domainOf(directory, domain)?.aliases ?? {};
  const key = mailboxName(name);
  return Object.hasOwn(aliases, key) ? (aliases[key] ?? null) : null;
}

function hasMailbox(directory: Directory, { domain, name }: Target): boolean {
  return domainOf(directory, domain)?.mailboxes.includes(mailboxName(name)) ?? false;
}

function hasName({ mailboxes, aliases }: DirectoryDomain, name: string): boolean {
  const key = mailboxName(name);
  return mailboxes.includes(key) || Object.hasOwn(aliases, key);
}

function domainOf({ domains }: Directory, domain: string): DirectoryDomain | null {
  return Object.hasOwn(domains, domain) ? (domains[domain] ?? null) : null;
}

/** Without a tag given, one is taken off the local part. */
function mailboxRoute(domain: string | Domain, localPart: string, tag?: string | null): Route {
  const split = tag === undefined ? splitTag(localPart) : { name: localPart, tag };
  return { kind: 'mailbox', mailbox: { domain, localPart: mailboxName(split.name), tag: split.tag } };
}

function accepted(routes: readonly Route[]): RecipientRouting {
  return { outcome: 'accepted', routes };
}

function refused(reason: RefusalReason, text: string): RecipientRouting {
  return { outcome: 'refused', reason, text };
}

function shown(localPart: string): string {
  return localPart.slice(0, 64).replace(/[^!-~]/g, '?');
}
