// The suppression list: addresses that no mail is sent to, with the reason, since when and until when.
import { z } from 'zod';
import { formatAddress, parseDomain } from '#mail/address/address.ts';
import { problem } from '#mail/problem.ts';
import { type Answer, json, notFound, refusal } from '#ops/api/answer.ts';
import { address, cursor, limit, parsed } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
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
import type { MailDeps } from './deps.ts';

type Deps = Pick<MailDeps, 'store' | 'clock'>;

const shownSuppression = z.looseObject({
  address: z.string(),
  sender: z.string(),
  reason: z.string(),
  since: z.string(),
  until: z.string().nullable(),
});

const sender = parsed('a domain, or * for all', (name) => (name === everySender ? name : parseDomain(name)));

/** In order of domain; `limit` counts addresses. */
export const listSuppressions = useCase({
  about: 'the suppressed addresses: no mail is sent to them',
  takes: { limit, after: cursor((key) => (key.startsWith(suppressionPrefix) ? key : problem('no key of an address'))) },
  gives: z.object({ suppressions: z.array(shownSuppression), next: z.string().nullable() }),
  answer: async ({ store, clock }: Deps, { limit: most, after }) => {
    const from = after === undefined ? {} : { after };
    const page = await store.list({ prefix: suppressionPrefix, limit: most, ...from });
    const troubles = new Map<string, readonly Trouble[]>();
    const suppressions: ReturnType<typeof shown>[] = [];
    for (const { key } of page.objects) {
      const at = suppressedAddress(key);
      const found = at === null ? null : await suppressionRecord.read(store, key);
      if (at === null || found === null) continue;
      const { domain } = at;
      if (!troubles.has(domain)) {
        const refusals = await refusalsRecord.read(store, refusalsRecord.key(domain));
        troubles.set(domain, refusals?.record.troubles ?? []);
      }
      const held = heldEntries(found.record, troubles.get(domain) ?? [], clock());
      suppressions.push(...held.map(([name, entry]) => shown(found.record.address, name, entry)));
    }
    return json({ suppressions, next: page.next });
  },
});

/** For all senders, or for one domain of ours. */
export const removeSuppression = useCase({
  about: 'take an address off the list',
  takes: { ADDRESS: address(), sender: sender.optional() },
  gives: z.object({ address: z.string(), outcome: z.literal('removed') }),
  refuses: ['changed'],
  answer: async ({ store }: Deps, { ADDRESS: at, sender: only }) => {
    const name = formatAddress(at);
    const key = suppressionRecord.key(at);
    const stored = await suppressionRecord.read(store, key);
    const listed = Object.entries(stored?.record.senders ?? {});
    const others = listed.filter(([one]) => only !== undefined && one !== only);
    if (stored === null || others.length === listed.length) return notFound(`${name} is not suppressed`);
    if (others.length === 0) await store.delete(key);
    else {
      const record = { ...stored.record, senders: Object.fromEntries(others) };
      if ((await suppressionRecord.write(store, key, record, { ifMatch: stored.etag })) === null) return changed(name);
    }
    return json({ address: name, outcome: 'removed' });
  },
});

/** For ever unless `days` says how long. */
export const addSuppression = useCase({
  about: 'suppress an address: no mail is sent to it any more',
  takes: {
    ADDRESS: address(),
    reason: z
      .string('why, in a few words')
      .trim()
      .min(1, 'why, in a few words')
      .max(500, 'at most 500 characters')
      .describe('why, in a few words'),
    sender: sender.default(everySender),
    days: z
      .string()
      .regex(/^[1-9]\d{0,3}$/, 'a whole number from 1 to 9999')
      .transform(Number)
      .optional()
      .describe('for how many days; left out: until it is taken off'),
  },
  gives: shownSuppression,
  status: 201,
  refuses: ['changed'],
  answer: async ({ store, clock }: Deps, { ADDRESS: at, days = null, ...given }) => {
    const entry = { ...given, days, at: new Date(clock()).toISOString() };
    const record = await suppressionRecord.change(store, suppressionRecord.key(at), (found) =>
      withOperatorEntry(found ?? emptyRecord(at), entry),
    );
    const written = record?.senders[given.sender];
    if (written === undefined) return changed(formatAddress(at));
    return json(shown(formatAddress(at), given.sender, written), 201);
  },
});

function changed(name: string): Answer {
  return refusal(409, 'changed', `${name} has just changed: try again`);
}

/** One sender's entry for one address. `sender` `*`: all mail. `until` null: until it is removed. */
function shown(name: string, from: string, entry: SuppressionEntry) {
  const { firstAt, expiresAt, strikes: _, ...facts } = entry;
  return { address: name, sender: from, ...facts, since: firstAt, until: expiresAt };
}
