// An address that no mail is sent to (`suppressions/<domain>/<local-part>.json`): one entry for each domain of ours whose
// mail bounced, since one sender's bounces are no reason to refuse another's mail. Each entry expires by itself.
import { z } from 'zod';
import { type EmailAddress, formatAddress, parseAddress } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import { parseSuppressionKey, suppressionKey } from '#pipeline/contract/keys.ts';
import { isInTrouble, type Trouble } from './refusals.ts';
import { type ObjectOrigin, recordKind, timestamp } from './stored-record.ts';

const dayMs = 86_400_000;
/** How long an address is suppressed, by how often in a row it was refused as non-existent. */
const blockDays = [1, 7, 30, 90] as const;
/** For an entry of an earlier version, which has no end. */
const oldBlockDays = 30;
/** A bounce later than this after the end of an entry is not in a row with it. */
const forgottenDays = 180;

/** Stands for all senders. */
export const everySender = '*';

const entrySchema = z.strictObject({
  /** `bounce`: a host refused the address as non-existent; `operator`: a person put it on the list. */
  by: z.enum(['bounce', 'operator']),
  /** The host's words, or the operator's. */
  reason: z.string(),
  /** The enhanced status code (RFC 3463), the host and the message of the last bounce; null if there is none. */
  status: z.string().nullable(),
  host: z.string().nullable(),
  messageId: z.string().nullable(),
  firstAt: timestamp,
  lastAt: timestamp,
  /** Bounces in all, and how many times in a row mail was refused for them. */
  count: z.int().nonnegative(),
  strikes: z.int().nonnegative(),
  /** Null: until an operator takes it off the list. */
  expiresAt: timestamp.nullable(),
});

const recordSchema = z.strictObject({
  schema: z.literal('suppression/2'),
  address: z.string(),
  /** By the domain of ours whose mail it is, or `*`. */
  senders: z.record(z.string(), entrySchema),
});

const oldRecordSchema = z.looseObject({
  at: timestamp.optional(),
  reason: z.string().optional(),
  host: z.string().optional(),
  messageId: z.string().optional(),
});

export type SuppressionEntry = Readonly<z.infer<typeof entrySchema>>;
export type SuppressionRecord = Readonly<z.infer<typeof recordSchema>>;

/** By address; the case of its local part does not matter. */
export const suppressionRecord = recordKind(
  ({ domain, localPart }: EmailAddress) => suppressionKey({ domain, localPart: localPart.toLowerCase() }),
  parseSuppression,
);

/** A refusal of an address as non-existent. */
export type HardBounce = Pick<SuppressionEntry, 'reason' | 'status' | 'host' | 'messageId'> & {
  readonly sender: string;
  /** ISO 8601. */
  readonly at: string;
};

/** One of an earlier version holds for all senders, and ends 30 days after it was written. */
function parseSuppression(json: unknown, { key, modifiedAt }: ObjectOrigin): SuppressionRecord {
  const known = recordSchema.safeParse(json);
  if (known.success) return known.data;
  const old = oldRecordSchema.parse(json);
  const address = suppressedAddress(key);
  if (address === null) throw new Error(`${key} is not the key of an address`);
  const at = old.at ?? modifiedAt;
  const entry: SuppressionEntry = {
    by: 'bounce',
    reason: old.reason ?? 'mail to it was refused for good before',
    status: null,
    host: old.host ?? null,
    messageId: old.messageId ?? null,
    firstAt: at,
    lastAt: at,
    count: 1,
    strikes: 1,
    expiresAt: later(at, oldBlockDays),
  };
  return { ...emptyRecord(address), senders: { [everySender]: entry } };
}

/** The address of a record's key; null if it is not the key of one. */
export function suppressedAddress(key: string): EmailAddress | null {
  const about = parseSuppressionKey(key);
  if (about === null) return null;
  const { localPart, domain } = about;
  const quoted = `"${localPart.replace(/["\\]/g, '\\$&')}"`;
  const address = parseAddress(`${/^[^\s"(),:;<>@[\\\]]+$/.test(localPart) ? localPart : quoted}@${domain}`);
  return isProblem(address) ? null : address;
}

export function emptyRecord(address: EmailAddress): SuppressionRecord {
  return { schema: 'suppression/2', address: formatAddress(address), senders: {} };
}

/** The entries in force, by sender: none that expired, none of a bounce while its domain was in trouble. */
export function heldEntries(
  { senders }: SuppressionRecord,
  troubles: readonly Trouble[],
  nowMs: number,
): readonly (readonly [string, SuppressionEntry])[] {
  return Object.entries(senders).filter(([, entry]) => isHeld(entry, nowMs) && !isDoubtful(entry, troubles));
}

/**
 * The record after a hard bounce. While an entry is in force, the bounce is only counted. After its end the next one lasts
 * longer (1, 7, 30, 90 days), unless it was in doubt or long ago. An operator's entry stays. The same bounce twice counts
 * once.
 */
export function withBounce(
  record: SuppressionRecord,
  { sender, ...bounce }: HardBounce,
  troubles: readonly Trouble[],
): SuppressionRecord {
  const before = Object.hasOwn(record.senders, sender) ? record.senders[sender] : undefined;
  if (before?.by === 'operator' && isHeld(before, Date.parse(bounce.at))) return record;
  if (before?.messageId === bounce.messageId && before.lastAt === bounce.at) return record;
  return { ...record, senders: { ...record.senders, [sender]: entryAfter(before, bounce, troubles) } };
}

function entryAfter(
  before: SuppressionEntry | undefined,
  bounce: Omit<HardBounce, 'sender'>,
  troubles: readonly Trouble[],
): SuppressionEntry {
  const now = Date.parse(bounce.at);
  const isFirst =
    before === undefined ||
    before.by === 'operator' ||
    before.expiresAt === null ||
    isDoubtful(before, troubles) ||
    now - Date.parse(before.expiresAt) > forgottenDays * dayMs;
  if (isFirst) return newEntry(bounce, { firstAt: bounce.at, count: 1, strikes: 1 });
  const { firstAt, count, strikes, expiresAt } = before;
  if (isHeld(before, now)) return { ...before, ...bounceFacts(bounce), count: count + 1, expiresAt };
  return newEntry(bounce, { firstAt, count: count + 1, strikes: strikes + 1 });
}

function newEntry(
  bounce: Omit<HardBounce, 'sender'>,
  counted: Pick<SuppressionEntry, 'firstAt' | 'count' | 'strikes'>,
): SuppressionEntry {
  const days = blockDays[Math.min(counted.strikes, blockDays.length) - 1] ?? blockDays[0];
  return { by: 'bounce', ...bounceFacts(bounce), ...counted, expiresAt: later(bounce.at, days) };
}

function bounceFacts({ at, reason, status, host, messageId }: Omit<HardBounce, 'sender'>) {
  return { reason: reason.slice(0, 250), status, host, messageId, lastAt: at };
}

/** The record after the address took mail: without the entries of bounces. */
export function withoutBounces(record: SuppressionRecord): SuppressionRecord {
  const kept = Object.entries(record.senders).filter(([, { by }]) => by === 'operator');
  return { ...record, senders: Object.fromEntries(kept) };
}

/** The record after an operator put it on the list; `days` null: for ever. */
export function withOperatorEntry(
  record: SuppressionRecord,
  given: { readonly sender: string; readonly reason: string; readonly days: number | null; readonly at: string },
): SuppressionRecord {
  const { sender, reason, days, at } = given;
  const facts = { status: null, host: null, messageId: null, count: 0, strikes: 0 };
  const expiresAt = days === null ? null : later(at, days);
  const entry: SuppressionEntry = { by: 'operator', reason, ...facts, firstAt: at, lastAt: at, expiresAt };
  return { ...record, senders: { ...record.senders, [sender]: entry } };
}

function isHeld({ expiresAt }: SuppressionEntry, nowMs: number): boolean {
  return expiresAt === null || Date.parse(expiresAt) > nowMs;
}

function isDoubtful({ by, lastAt }: SuppressionEntry, troubles: readonly Trouble[]): boolean {
  return by === 'bounce' && isInTrouble(troubles, lastAt);
}

function later(at: string, days: number): string {
  return new Date(Date.parse(at) + days * dayMs).toISOString();
}
