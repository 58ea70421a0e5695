// The addresses that are not written to: listed with why, since when and until when, taken off the list and put on it.
import { type EmailAddress, formatAddress, parseAddress, parseDomain } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import { type Answer, badParameter, isAnswer, json, refusal } from '#ops/api/answer.ts';
import { readLimit, readQuery } from '#ops/api/parameters.ts';
import type { MailRouteDeps } from '#ops/api/routes.ts';
import { suppressionPrefix } from '#pipeline/contract/keys.ts';
import { refusalsRecord, type Trouble } from '#pipeline/contract/records/refusals.ts';
import {
  emptyRecord,
  everySender,
  heldEntries,
  type SuppressionEntry,
  suppressedAddress,
  suppressionRecord,
  withOperatorEntry,
} from '#pipeline/contract/records/suppression.ts';

type Deps = Pick<MailRouteDeps, 'store' | 'clock'>;

/** A line of the list: one sender's entry for one address. `sender` `*`: all mail. `until` null: until it is taken off. */
type ShownSuppression = Omit<SuppressionEntry, 'firstAt' | 'expiresAt' | 'strikes'> & {
  readonly address: string;
  readonly sender: string;
  readonly since: string;
  readonly until: string | null;
};

/** What is asked of one address. */
export type AboutAddress = { readonly address: string | undefined; readonly query: URLSearchParams };

/** `GET /api/suppressions?limit=&after=`, in order of domain; `limit` objects are read, each an address. */
export async function listSuppressions({ store, clock }: Deps, query: URLSearchParams): Promise<Answer> {
  const given = readQuery(query, ['limit', 'after']);
  if (isAnswer(given)) return given;
  const limit = readLimit(given['limit']);
  if (isAnswer(limit)) return limit;
  const after = given['after'];
  if (after !== undefined && !after.startsWith(suppressionPrefix)) {
    return badParameter('after', 'the "next" of the page before');
  }
  const page = await store.list({ prefix: suppressionPrefix, limit, ...(after === undefined ? {} : { after }) });
  const troubles = new Map<string, readonly Trouble[]>();
  const suppressions: ShownSuppression[] = [];
  for (const { key } of page.objects) {
    const address = suppressedAddress(key);
    const found = address === null ? null : await suppressionRecord.read(store, key);
    if (address === null || found === null) continue;
    const { domain } = address;
    if (!troubles.has(domain)) {
      const refusals = await refusalsRecord.read(store, refusalsRecord.key(domain));
      troubles.set(domain, refusals?.record.troubles ?? []);
    }
    const held = heldEntries(found.record, troubles.get(domain) ?? [], clock());
    suppressions.push(...held.map(([sender, entry]) => shown(found.record.address, sender, entry)));
  }
  return json({ suppressions, next: page.next });
}

/** `DELETE /api/suppressions/ADDRESS?sender=`: the address is written to again, by all or by one domain of ours. */
export async function removeSuppression({ store }: Deps, wanted: AboutAddress): Promise<Answer> {
  const read = readAbout(wanted, ['sender']);
  if (isAnswer(read)) return read;
  const { address, sender, given } = read;
  const shownAddress = formatAddress(address);
  const key = suppressionRecord.key(address);
  const stored = await suppressionRecord.read(store, key);
  const senders = stored?.record.senders ?? {};
  const isListed = given['sender'] === undefined || Object.hasOwn(senders, sender);
  if (stored === null || Object.keys(senders).length === 0 || !isListed) {
    return refusal(404, 'not-found', `${shownAddress} is not suppressed`);
  }
  const others = Object.entries(senders).filter(([name]) => given['sender'] !== undefined && name !== sender);
  if (others.length === 0) await store.delete(key);
  else {
    const record = { ...stored.record, senders: Object.fromEntries(others) };
    const written = await suppressionRecord.write(store, key, record, { ifMatch: stored.etag });
    if (written === null) return refusal(409, 'changed', `${shownAddress} has just changed: try again`);
  }
  return json({ address: shownAddress, outcome: 'removed' });
}

/** `POST /api/suppressions/ADDRESS?reason=&sender=&days=`: not written to any more, for ever unless `days` says how long. */
export async function addSuppression({ store, clock }: Deps, wanted: AboutAddress): Promise<Answer> {
  const read = readAbout(wanted, ['reason', 'sender', 'days']);
  if (isAnswer(read)) return read;
  const { address, sender, given } = read;
  const { reason = '', days } = given;
  if (reason.trim() === '') return badParameter('reason', 'why, in a few words');
  if (days !== undefined && !/^[1-9]\d{0,3}$/.test(days)) return badParameter('days', 'a whole number from 1 to 9999');
  const at = new Date(clock()).toISOString();
  const entry = { sender, reason: reason.trim(), days: days === undefined ? null : Number(days), at };
  const record = await suppressionRecord.change(store, suppressionRecord.key(address), (found) =>
    withOperatorEntry(found ?? emptyRecord(address), entry),
  );
  const written = record?.senders[sender];
  if (written === undefined) return refusal(409, 'changed', `${formatAddress(address)} changes too fast: try again`);
  return json(shown(formatAddress(address), sender, written), 201);
}

type About = {
  readonly address: EmailAddress;
  readonly sender: string;
  readonly given: Readonly<Record<string, string>>;
};

function readAbout(wanted: AboutAddress, allowed: readonly string[]): About | Answer {
  const given = readQuery(wanted.query, allowed);
  if (isAnswer(given)) return given;
  const address = parseAddress(wanted.address ?? '');
  if (isProblem(address)) return badParameter('ADDRESS', 'an address (local@domain)');
  const { sender: name = everySender } = given;
  const sender = name === everySender ? name : parseDomain(name);
  return isProblem(sender) ? badParameter('sender', 'a domain, or * for all') : { address, sender, given };
}

function shown(address: string, sender: string, entry: SuppressionEntry): ShownSuppression {
  const { firstAt, expiresAt, strikes: _, ...facts } = entry;
  return { address, sender, ...facts, since: firstAt, until: expiresAt };
}
