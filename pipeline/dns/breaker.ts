// Remembers which questions and zones the DNS does not answer (RFC 9520), so that callers who can wait fail at once and the
// zone is seldom asked. A breaker opens after some failures in a row, stays open for a time that grows, then lets one
// question through: an answer of any kind closes it. While our own resolver answers nobody, no failure counts against a
// zone.
import { LRUCache } from 'lru-cache';
import type { Clock } from '#pipeline/contract/ports.ts';
import { boundedTable } from '#pipeline/run/bounded-table.ts';
import { type DnsErrorCode, isTemporaryDnsError } from './answer.ts';

export type DnsBreaker = {
  /** The remembered failure of a question or of its zone; null: ask it. */
  readonly refusal: (name: string, type: string) => DnsErrorCode | null;
  /** Takes the outcome of a question that was asked at `askedAtMs` (of the same clock); `code` null: it was answered. */
  readonly note: (question: {
    readonly name: string;
    readonly type: string;
    readonly code: DnsErrorCode | null;
    readonly askedAtMs: number;
  }) => void;
  readonly clear: () => void;
};

type Entry = { failures: number; code: DnsErrorCode; openMs: number; askAgainAt: number };

/** Failures in a row, of one question and of all in a zone, that open a breaker. */
const failuresToOpen = { question: 2, zone: 3 } as const;
/** How long it stays open at first, and at most (RFC 9520 §3.2: no longer than five minutes). */
const [firstOpenMs, longestOpenMs] = [5_000, 60_000];
/** Our own resolver works if it answered any question within this time before a question was asked, or since. */
const aliveMs = 5_000;
const maxEntries = 10_000;

/** `onOpened` is called for each that opens. */
export function createDnsBreaker(deps: { readonly clock: Clock; readonly onOpened: () => void }): DnsBreaker {
  const { clock, onOpened } = deps;
  const entries = new LRUCache<string, Entry>(boundedTable(maxEntries));
  let answeredAt = Number.NEGATIVE_INFINITY;

  const fail = (key: string, limit: number, code: DnsErrorCode): void => {
    const entry = entries.get(key) ?? { failures: 0, code, openMs: 0, askAgainAt: Number.NEGATIVE_INFINITY };
    entries.set(key, entry);
    entry.failures += 1;
    entry.code = code;
    // Many questions that were under way together fail together: that is one failure.
    if (entry.failures < limit || clock() < entry.askAgainAt) return;
    if (entry.openMs === 0) onOpened();
    entry.openMs = Math.min(longestOpenMs, Math.max(firstOpenMs, 2 * entry.openMs));
    entry.askAgainAt = clock() + entry.openMs;
  };
  return {
    refusal: (name, type) => {
      const known = keysOf(name, type).flatMap((key) => entries.get(key) ?? []);
      const open = known.filter(({ openMs }) => openMs > 0);
      const refusing = open.find(({ askAgainAt }) => clock() < askAgainAt);
      if (refusing !== undefined) return refusing.code;
      // This one goes through; until it is answered, the others are still refused.
      for (const entry of open) entry.askAgainAt = clock() + entry.openMs;
      return null;
    },
    note: ({ name, type, code, askedAtMs }) => {
      const [question, zone] = keysOf(name, type);
      if (code === null || !isTemporaryDnsError(code)) {
        answeredAt = clock();
        entries.delete(question);
        entries.delete(zone);
      } else if (answeredAt >= askedAtMs - aliveMs) {
        fail(question, failuresToOpen.question, code);
        fail(zone, failuresToOpen.zone, code);
      }
    },
    clear: () => entries.clear(),
  };
}

/** A question by type and name; its zone by the name that `_dmarc`, `s1._domainkey` and the like stand in front of. */
function keysOf(name: string, type: string): readonly [string, string] {
  const plain = name.toLowerCase().replace(/\.$/, '');
  const labels = plain.split('.');
  return [`${type} ${plain}`, labels.slice(labels.findLastIndex((label) => label.startsWith('_')) + 1).join('.')];
}
