// RFC 6376 §8.15: a signature covers the lowest fields of a name (§5.4.2), and readers show the first. Who puts a second Subject above
// the signed one has it shown beside a valid signature.

/** Fields that may stand once and that say what readers show (RFC 5322 §3.6; of MIME: RFC 2045 §3). */
export const shownOnce = [
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'subject',
  'date',
  'message-id',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
] as const;

const names: ReadonlySet<string> = new Set(shownOnce);

/** Says whether a name, in lower case, is one of {@link shownOnce}. */
export function isShownOnce(name: string): boolean {
  return names.has(name);
}

/**
 * A field of {@link shownOnce} that stands more often and is not signed every time, or not at all; null if there is none. `signed` are
 * the names that `h=` found in the header, once for each field found. Names in any case; the answer is in lower case.
 */
export function unsignedTwin(all: readonly string[], signed: readonly string[]): string | null {
  const covered = countByName(signed);
  return [...countByName(all)].find(([name, count]) => count > 1 && count > (covered.get(name) ?? 0))?.[0] ?? null;
}

function countByName(all: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of all.map((text) => text.toLowerCase())) {
    if (isShownOnce(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
