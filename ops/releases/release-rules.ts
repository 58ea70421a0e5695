// Whether a message may be released to an address: only if the configuration names it, and if it is elsewhere.
import { type EmailAddress, formatAddress } from '#mail/address/address.ts';
import { routeRecipient } from '#mail/envelope/route-recipient.ts';
import type { Config } from '#pipeline/config/config.ts';

/** A sentence that names the setting; null if all of the addresses may get a release. */
export function whyNotAllowed({ release }: Config, to: readonly EmailAddress[]): string | null {
  const setting = 'release.to in the configuration';
  if (release.to.length === 0) {
    return `nothing may be released to anybody: name addresses, or *@domain for all of a domain, in ${setting}: "release": { "to": ["you@example.com"] }`;
  }
  const others = to.filter((address) => !isAllowed(release.to, address)).map(formatAddress);
  return others.length === 0
    ? null
    : `${setting} does not allow ${others.join(', ')}; it allows ${shownRules(release)}`;
}

function isAllowed(allowed: readonly string[], address: EmailAddress): boolean {
  const all = `*@${address.domain}`;
  const written = formatAddress(address).toLowerCase();
  return allowed.some((one) => one === all || one.toLowerCase() === written);
}

const maxShownRules = 10;

function shownRules({ to }: Config['release']): string {
  const more = to.length - maxShownRules;
  return [...to.slice(0, maxShownRules), ...(more > 0 ? [`${more} more`] : [])].join(', ');
}

/** Why an address needs no release, a sentence; null if it is elsewhere. A capture server has no domain of its own: all are elsewhere. */
export function whyHere(config: Config, address: EmailAddress): string | null {
  if (config.mode === 'capture') return null;
  const routing = routeRecipient(config, address, { mayRelay: true });
  const isElsewhere = routing.outcome === 'accepted' && routing.routes.every(({ kind }) => kind === 'relay');
  return isElsewhere
    ? null
    : `${formatAddress(address)} is of a domain here: a replay puts the message into another mailbox`;
}
