// Who gets the message how: local recipients grouped by disposition for `parse`, the others by destination domain for
// `deliver`. Pure: the same job gives the same split.
import { type Domain, formatAddress, mailboxName, parseAddress, splitTag } from '#mail/address/address.ts';
import {
  type LocalRecipient,
  type RemoteRecipient,
  type RoutedRecipient,
  withoutSuccess,
} from '#mail/envelope/recipient.ts';
import { isProblem } from '#mail/problem.ts';
import type { Disposition } from '#pipeline/contract/jobs.ts';

/** Recipients of one `parse` job at most: with the verdict beside them a body stays well under 1 MiB. */
const maxParseRecipients = 200;

/** Local recipients that share one disposition: one `parse` job. */
export type LocalGroup = { readonly disposition: Disposition; readonly recipients: LocalRecipient[] };

/** All recipients at one remote domain. `forwardedBy`: the domain of ours whose alias led there, null for none. */
export type RemoteGroup = {
  readonly domain: Domain;
  readonly recipients: RemoteRecipient[];
  readonly forwardedBy: Domain | null;
};

/** Local recipients, each mailbox once, in groups of one disposition and at most 200. */
export function groupLocal(
  recipients: readonly RoutedRecipient[],
  dispositionFor: (domain: string) => Disposition,
): readonly LocalGroup[] {
  const groups: { disposition: Disposition; recipients: LocalRecipient[] }[] = [];
  const expanded = new Set(expandedAliases(recipients).map(({ forwardPath }) => forwardPath));
  for (const { forwardPath, dsn: asked, mailbox } of mailboxesOf(recipients)) {
    const dsn = expanded.has(forwardPath) ? withoutSuccess(asked) : asked;
    const disposition = dispositionFor(mailbox.domain);
    const open = groups.find(
      (group) => isSame(group.disposition, disposition) && group.recipients.length < maxParseRecipients,
    );
    if (open === undefined) groups.push({ disposition, recipients: [{ forwardPath, dsn, mailbox }] });
    else open.recipients.push({ forwardPath, dsn, mailbox });
  }
  return groups;
}

/** Each mailbox once, for the address of its own where the sender named it; else for the first alias that led there. */
function mailboxesOf(recipients: readonly RoutedRecipient[]): Iterable<LocalRecipient> {
  const chosen = new Map<string, LocalRecipient>();
  for (const { forwardPath, dsn, route } of recipients) {
    if (route.kind !== 'mailbox') continue;
    const { mailbox } = route;
    const key = `${mailbox.localPart}@${mailbox.domain}`;
    const known = chosen.get(key);
    if (known === undefined || (!isDirect(known) && isDirect({ forwardPath, mailbox }))) {
      chosen.set(key, { forwardPath, dsn, mailbox });
    }
  }
  return chosen.values();
}

/** Says whether the address is the mailbox's own, rather than an alias or what a catch-all takes. */
function isDirect({ forwardPath, mailbox }: Pick<LocalRecipient, 'forwardPath' | 'mailbox'>): boolean {
  const address = parseAddress(forwardPath);
  if (isProblem(address) || address.domain !== mailbox.domain) return false;
  return (
    mailboxName(address.localPart) === mailbox.localPart ||
    mailboxName(splitTag(address.localPart).name) === mailbox.localPart
  );
}

/** Remote recipients, each address once, one group a domain: its `deliveries/` object has one fixed key. */
export function groupRemote(recipients: readonly RoutedRecipient[]): readonly RemoteGroup[] {
  const groups = new Map<Domain, { domain: Domain; recipients: RemoteRecipient[]; forwardedBy: Domain | null }>();
  const seen = new Set<string>();
  const several = leadingToSeveral(recipients);
  for (const { to, forwardPath, dsn: asked, isForward, bouncedBefore } of destinations(recipients)) {
    const { address, domain } = parsed(to);
    if (seen.has(address)) continue;
    seen.add(address);
    const dsn = isForward && several.has(forwardPath) ? withoutSuccess(asked) : asked;
    const group = groups.get(domain) ?? { domain, recipients: [], forwardedBy: null };
    groups.set(domain, group);
    const hint = bouncedBefore === true ? { bouncedBefore } : {};
    group.recipients.push({ forwardPath: address, dsn, originalForwardPath: isForward ? forwardPath : null, ...hint });
    if (isForward) group.forwardedBy ??= parsed(forwardPath).domain;
  }
  return [...groups.values()];
}

/**
 * The aliases that lead to several places, some of them outside, each with itself as its `originalForwardPath`. What is reported of
 * their success is that (`expanded`), once, whatever number of addresses they lead to (RFC 3461 §5.2.7).
 */
export function expandedAliases(recipients: readonly RoutedRecipient[]): readonly RemoteRecipient[] {
  const several = leadingToSeveral(recipients);
  return recipients
    .filter(({ route, forwardPath }) => route.kind === 'forward' && several.has(forwardPath))
    .map(({ forwardPath, dsn }) => ({ forwardPath, dsn, originalForwardPath: forwardPath }));
}

/** Addresses that lead to more than one mailbox or outside address. */
function leadingToSeveral(recipients: readonly RoutedRecipient[]): ReadonlySet<string> {
  const places = new Map<string, number>();
  for (const { forwardPath, route } of recipients) {
    const count = route.kind === 'forward' ? route.to.length : 1;
    places.set(forwardPath, (places.get(forwardPath) ?? 0) + count);
  }
  return new Set([...places].flatMap(([forwardPath, count]) => (count > 1 ? [forwardPath] : [])));
}

type Destination = Pick<RoutedRecipient, 'forwardPath' | 'dsn' | 'bouncedBefore'> & {
  readonly to: string;
  readonly isForward: boolean;
};

/** Addresses the sender wrote itself come first: a double is then not one that an alias led to. */
function destinations(recipients: readonly RoutedRecipient[]): readonly Destination[] {
  const relayed = recipients.flatMap(({ route, ...recipient }): Destination[] =>
    route.kind === 'relay' ? [{ ...recipient, to: recipient.forwardPath, isForward: false }] : [],
  );
  const forwarded = recipients.flatMap(({ route, ...recipient }): Destination[] =>
    route.kind === 'forward' ? route.to.map((to) => ({ ...recipient, to, isForward: true })) : [],
  );
  return [...relayed, ...forwarded];
}

function parsed(text: string): { readonly address: string; readonly domain: Domain } {
  const address = parseAddress(text);
  // The listener parsed it before it said 250, and the configuration checks its aliases: this would be our own bug.
  if (isProblem(address)) throw new Error(`a recipient that is not an address: ${address.problem}`);
  return { address: formatAddress(address), domain: address.domain };
}

function isSame(a: Disposition, b: Disposition): boolean {
  return a.action === b.action && a.reason === b.reason;
}
