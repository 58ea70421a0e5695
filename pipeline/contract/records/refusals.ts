// How many addresses of a domain were refused as non-existent (`suppressions/<domain>.json`). A host whose directory is
// broken refuses all of them: what it says in such an hour suppresses no address.
import { z } from 'zod';
import { refusalsKey } from '#pipeline/contract/keys.ts';
import { recordKind, timestamp } from './stored-record.ts';

const hourMs = 3_600_000;
/** So many addresses refused as non-existent within an hour are the host's fault, unless it took many more meanwhile. */
const manyAddresses = 10;
/** A host that takes so many recipients for each that it refuses knows its addresses. */
const acceptedPerRefused = 4;
/** Suppressions last up to 90 days: the trouble that one was written in must still be here. */
const keptTroubles = 50;

const troubleSchema = z.strictObject({ from: timestamp, until: timestamp });

const refusalsSchema = z.strictObject({
  schema: z.literal('refusals/1'),
  /** When what is counted began: with the first refusal after a time in which the host took most recipients. */
  from: timestamp,
  /** Recipients taken and recipients called non-existent since, as far as it is known. */
  accepted: z.int().nonnegative(),
  refused: z.int().nonnegative(),
  /** The first ten different local parts among those refused. */
  localParts: z.array(z.string()),
  troubles: z.array(troubleSchema),
});

export type Refusals = Readonly<z.infer<typeof refusalsSchema>>;

/** A time in which the domain's refusals do not count. */
export type Trouble = Readonly<z.infer<typeof troubleSchema>>;

/** By domain. */
export const refusalsRecord = recordKind(refusalsKey, (json): Refusals => refusalsSchema.parse(json));

/** `at`: ISO 8601. */
export function isInTrouble(troubles: readonly Trouble[], at: string): boolean {
  return troubles.some(({ from, until }) => at >= from && at <= until);
}

/**
 * The record after addresses were refused as non-existent at `at`; `accepted`: recipients taken since the last time. What a
 * host took before its first refusal does not count. Trouble lasts from there until an hour from now. While it lasts for
 * another half hour, nothing is counted: the same record.
 */
export function withRefusals(
  before: Refusals | null,
  seen: { readonly localParts: readonly string[]; readonly accepted: number; readonly at: string },
): Refusals {
  const { at, accepted } = seen;
  const halfAnHourOn = new Date(Date.parse(at) + hourMs / 2).toISOString();
  if (before !== null && isInTrouble(before.troubles, at) && isInTrouble(before.troubles, halfAnHourOn)) return before;
  const troubles = before?.troubles ?? [];
  const isSameHour = before !== null && Date.parse(at) - Date.parse(before.from) <= hourMs;
  const isWell = before !== null && before.accepted + accepted >= acceptedPerRefused * before.refused;
  const hour =
    isSameHour && !isWell
      ? // Hosts are asked side by side: what one of them said before is counted after.
        { ...before, from: earlier(at, before.from), accepted: before.accepted + accepted }
      : { from: at, accepted: 0, refused: 0, localParts: [] };
  const counted = {
    schema: 'refusals/1' as const,
    from: hour.from,
    accepted: hour.accepted,
    refused: hour.refused + seen.localParts.length,
    localParts: [...new Set([...hour.localParts, ...seen.localParts])].slice(0, manyAddresses),
  };
  if (counted.localParts.length < manyAddresses) return { ...counted, troubles };
  const trouble = { from: counted.from, until: new Date(Date.parse(at) + hourMs).toISOString() };
  return { ...counted, troubles: [...troubles, trouble].slice(-keptTroubles) };
}

function earlier(one: string, other: string): string {
  return one < other ? one : other;
}
