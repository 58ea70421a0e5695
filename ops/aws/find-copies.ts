// Finds the copies of a message in mailboxes without an index: its stored envelope names the recipients, the configuration
// their mailboxes, and its id the day. If that finds none, every mailbox is searched.
import { mailboxName, parseAddress, splitTag } from '#mail/address/address.ts';
import { routeRecipient } from '#mail/envelope/route-recipient.ts';
import { type MessageId, receivedAtOf } from '#mail/header/message-id.ts';
import { isProblem } from '#mail/problem.ts';
import type { ListFolders } from '#pipeline/aws/s3-store.ts';
import type { Config, ConfigSource } from '#pipeline/config/config.ts';
import { mailFolders, messageKey, messageKeyBelow, rawKey } from '#pipeline/contract/keys.ts';
import type { Clock, ObjectStore } from '#pipeline/contract/ports.ts';
import { readEnvelope } from '#pipeline/contract/stored-envelope.ts';

export type FindCopiesDeps = {
  readonly store: Pick<ObjectStore, 'get' | 'head'>;
  readonly reader: { readonly folders: ListFolders };
  readonly config: ConfigSource;
  readonly clock: Clock;
  readonly onProgress: (sentence: string) => void;
};

/** Both answer keys of `inbox/` and `quarantine/` objects, in order. */
export type CopyFinder = {
  /** Those of the envelope's recipients, as addresses lead today; `prefixes`: only below one of these. */
  readonly byEnvelope: (id: MessageId, prefixes?: readonly string[]) => Promise<readonly string[]>;
  /** The same; if there are none, those that a search of every mailbox finds (2,000 at most). */
  readonly find: (id: MessageId) => Promise<readonly string[]>;
  /** All there are: an alias may have led elsewhere when the message came. */
  readonly everywhere: (id: MessageId) => Promise<readonly string[]>;
};

type Place = { readonly domain: string; readonly localPart: string };

const maxMailboxes = 2_000;
const atOnce = 32;
const knownMs = 30_000;

export function createCopyFinder(deps: FindCopiesDeps): CopyFinder {
  const byEnvelope = async (id: MessageId, prefixes: readonly string[] = ['']): Promise<readonly string[]> => {
    const receivedAt = receivedAtOf(id);
    const facts = await deps.store.head(rawKey({ id, receivedAt }));
    const envelope = facts === null ? null : await readEnvelope(deps.store, facts);
    const config = await deps.config.current();
    const places = (envelope?.recipients ?? []).flatMap(({ forwardPath }) => placesOf(config, forwardPath));
    const keys = places.flatMap((place) =>
      mailFolders.map((folder) => messageKey(folder, { ...place, id, receivedAt })),
    );
    const wanted = keys.filter((key) => prefixes.some((prefix) => key.startsWith(prefix)));
    return present(deps, [...new Set(wanted)]);
  };
  const mailboxesThere = mailboxLister(deps);
  return {
    byEnvelope,
    find: async (id) => {
      const keys = await byEnvelope(id);
      if (keys.length > 0) return keys;
      const mailboxes = await mailboxesThere();
      if (mailboxes.length > maxMailboxes) {
        deps.onProgress(`looked into ${maxMailboxes} of ${mailboxes.length} mailboxes`);
      }
      return present(deps, keysIn(mailboxes.slice(0, maxMailboxes), id));
    },
    everywhere: async (id) => present(deps, keysIn(await mailboxesThere(), id)),
  };
}

/** Where the address leads today, and the mailbox of its own name: an alias may have come or gone since. */
function placesOf(config: Config, forwardPath: string): readonly Place[] {
  const address = parseAddress(forwardPath);
  if (isProblem(address)) return [];
  const routing = routeRecipient(config, address, { mayRelay: true });
  const routes = routing.outcome === 'accepted' ? routing.routes : [];
  const routed = routes.flatMap((route) => (route.kind === 'mailbox' ? [route.mailbox] : []));
  const isElsewhere = routes.some(({ kind }) => kind === 'relay');
  const own = { domain: address.domain, localPart: mailboxName(splitTag(address.localPart).name) };
  return isElsewhere ? routed : [...routed, own];
}

/** The prefixes of all mailboxes that hold mail, as they were at most half a minute ago: many messages are looked for in a row. */
function mailboxLister({ reader, clock }: FindCopiesDeps): () => Promise<readonly string[]> {
  let known: { readonly until: number; readonly mailboxes: Promise<readonly string[]> } | null = null;
  return () => {
    if (known === null || clock() >= known.until)
      known = { until: clock() + knownMs, mailboxes: listMailboxes(reader) };
    return known.mailboxes;
  };
}

async function listMailboxes({ folders }: FindCopiesDeps['reader']): Promise<readonly string[]> {
  const mailboxes: string[] = [];
  for (const folder of mailFolders) {
    for (const domain of await folders(`${folder}/`)) mailboxes.push(...(await folders(domain)));
  }
  return mailboxes;
}

/** One for each mailbox. */
function keysIn(mailboxes: readonly string[], id: MessageId): readonly string[] {
  return mailboxes.map((prefix) => messageKeyBelow(prefix, { id, receivedAt: receivedAtOf(id) }));
}

async function present({ store }: FindCopiesDeps, keys: readonly string[]): Promise<readonly string[]> {
  const there: string[] = [];
  for (let at = 0; at < keys.length; at += atOnce) {
    const some = keys.slice(at, at + atOnce);
    const found = await Promise.all(some.map((key) => store.head(key)));
    there.push(...some.filter((_, n) => found[n] !== null));
  }
  return there.sort();
}
