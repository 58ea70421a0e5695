// Whether mail is sent to an address: read from the `suppressions/` objects that the deliver stage and operators write.
import type { EmailAddress } from '#mail/address/address.ts';
import type { Clock, ObjectStore } from '#pipeline/contract/ports.ts';
import { refusalsRecord } from './refusals.ts';
import { everySender, heldEntries, type SuppressionEntry, suppressionRecord } from './suppression.ts';

/**
 * `written`: mail is sent to it. `doubted`: likewise, but it bounced before: if it takes the mail, that is to be recorded.
 * `suppressed`: nothing is sent to it; `reason` says why, since when and until when.
 */
export type Suppression =
  | { readonly outcome: 'written' | 'doubted' }
  | { readonly outcome: 'suppressed'; readonly reason: string };

/** `sender`: the domain of ours whose mail it is, or null (the null reverse-path). */
export type SuppressionLookup = (address: EmailAddress, sender: string | null) => Promise<Suppression>;

/** One call to the store for an address that was never suppressed. */
export function suppressionLookup(store: Pick<ObjectStore, 'get'>, clock: Clock): SuppressionLookup {
  return async (address, sender) => {
    const found = (await suppressionRecord.read(store, suppressionRecord.key(address)))?.record;
    if (found === undefined || Object.keys(found.senders).length === 0) return { outcome: 'written' };
    const refusals = await refusalsRecord.read(store, refusalsRecord.key(address.domain));
    const held = new Map(heldEntries(found, refusals?.record.troubles ?? [], clock()));
    const wanted = sender !== null && held.has(sender) ? sender : everySender;
    const entry = held.get(wanted);
    if (entry !== undefined) return { outcome: 'suppressed', reason: refusalText(wanted, entry) };
    return { outcome: Object.values(found.senders).some(({ by }) => by === 'bounce') ? 'doubted' : 'written' };
  };
}

function refusalText(sender: string, { reason, firstAt, expiresAt, by }: SuppressionEntry): string {
  const whose = sender === everySender ? 'all mail' : `mail from ${sender}`;
  const until = expiresAt === null ? 'until it is taken off the list' : `until ${shown(expiresAt)}`;
  const who = by === 'operator' ? ' by an operator' : '';
  return `${reason} (${whose} is refused${who} since ${shown(firstAt)}, ${until})`;
}

function shown(at: string): string {
  return `${at.slice(0, 16).replace('T', ' ')} UTC`;
}
