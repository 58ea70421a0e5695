// Whether an address is written to: the `suppressions/` objects, as the deliver stage and operators leave them.
import type { EmailAddress } from '#mail/address/address.ts';
import { refusalsKey, suppressionKey } from './keys.ts';
import type { Clock, ObjectStore } from './ports.ts';
import { readBody } from './read-body.ts';
import { parseRefusals, type Refusals } from './refusals.ts';
import {
  everySender,
  heldEntries,
  parseSuppression,
  type SuppressionEntry,
  type SuppressionRecord,
} from './suppression-record.ts';

/**
 * `written`: nothing is known against it. `doubted`: it is written to, but bounced before: should it take the mail, that is to be
 * recorded. `suppressed`: nothing is sent to it; `reason` says why, since when and until when.
 */
export type Suppression =
  | { readonly outcome: 'written' | 'doubted' }
  | { readonly outcome: 'suppressed'; readonly reason: string };

/** Asks about an address; `sender`: the domain of ours whose mail it is, null where nobody's is (the null reverse-path). */
export type SuppressionLookup = (address: EmailAddress, sender: string | null) => Promise<Suppression>;

/** A record as stored; `etag` null where there is none. */
export type Stored<Found> = { readonly found: Found | null; readonly etag: string | null };

const maxTries = 5;

/** Makes the lookup: one call to the store for an address that nothing is known of. */
export function suppressionLookup(store: Pick<ObjectStore, 'get'>, clock: Clock): SuppressionLookup {
  return async (address, sender) => {
    const { found } = await readSuppression(store, address);
    if (found === null || Object.keys(found.senders).length === 0) return { outcome: 'written' };
    const refusals = await readRefusals(store, address.domain);
    const held = new Map(heldEntries(found, refusals.found?.troubles ?? [], clock()));
    const wanted = sender !== null && held.has(sender) ? sender : everySender;
    const entry = held.get(wanted);
    if (entry !== undefined) return { outcome: 'suppressed', reason: refusalText(wanted, entry) };
    return { outcome: Object.values(found.senders).some(({ by }) => by === 'bounce') ? 'doubted' : 'written' };
  };
}

/** Reads what is stored of an address. Throws where it is none of ours. */
export async function readSuppression(
  store: Pick<ObjectStore, 'get'>,
  address: EmailAddress,
): Promise<Stored<SuppressionRecord>> {
  const stored = await readStored(store, keyOf(address));
  if (stored === null) return { found: null, etag: null };
  return { found: parseSuppression(stored.json, address, stored.modifiedAt), etag: stored.etag };
}

/** Reads what is stored of a domain. Throws where it is none of ours. */
export async function readRefusals(store: Pick<ObjectStore, 'get'>, domain: string): Promise<Stored<Refusals>> {
  const stored = await readStored(store, refusalsKey(domain));
  return stored === null ? { found: null, etag: null } : { found: parseRefusals(stored.json), etag: stored.etag };
}

/** The object of an address: the case of its local part does not matter. */
export function keyOf({ domain, localPart }: EmailAddress): string {
  return suppressionKey({ domain, localPart: localPart.toLowerCase() });
}

/**
 * Moves a stored record on by compare-and-set: reads it, asks `change`, writes what that answers. The same record as before is
 * not written. Answers what is then stored, or null where others were faster again and again.
 */
export async function changeStored<Found>(
  store: Pick<ObjectStore, 'put'>,
  { key, read }: { readonly key: string; readonly read: () => Promise<Stored<Found>> },
  change: (before: Found | null) => Found,
): Promise<Found | null> {
  for (let tries = 1; tries <= maxTries; tries++) {
    const { found, etag } = await read();
    const after = change(found);
    if (after === found) return after;
    const written = await store.put({
      key,
      body: Buffer.from(JSON.stringify(after)),
      contentType: 'application/json',
      condition: etag === null ? { ifAbsent: true } : { ifMatch: etag },
    });
    if (written.outcome === 'stored') return after;
  }
  return null;
}

/** Why mail is refused, since when and until when, for whoever sends. */
export function refusalText(sender: string, { reason, firstAt, expiresAt, by }: SuppressionEntry): string {
  const whose = sender === everySender ? 'all mail' : `mail from ${sender}`;
  const until = expiresAt === null ? 'until it is taken off the list' : `until ${shown(expiresAt)}`;
  const who = by === 'operator' ? ' by an operator' : '';
  return `${reason} (${whose} is refused${who} since ${shown(firstAt)}, ${until})`;
}

function shown(at: string): string {
  return `${at.slice(0, 16).replace('T', ' ')} UTC`;
}

async function readStored(store: Pick<ObjectStore, 'get'>, key: string) {
  const object = await store.get(key);
  if (object === null) return null;
  const json: unknown = JSON.parse((await readBody(object.body)).toString('utf8'));
  return { json, etag: object.etag, modifiedAt: object.modifiedAt };
}
