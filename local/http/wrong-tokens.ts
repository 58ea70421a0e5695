// Slows down the guessing of tokens. Each wrong token of an address (IPv6: /64) is answered later than the one before, up to a
// second; after that one is answered when the wait is over, and the others get 429. The right token never waits, whatever
// else comes from its address.
import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { createFailureTable, trackedKeys } from '#container/limits/limits.ts';
import { peerOf } from '#mail/address/peer-address.ts';
import { type Answer, closing, refusal, withHeaders } from '#ops/api/answer.ts';
import type { Log, Metrics } from '#pipeline/contract/ports.ts';
import { tallyByAddress } from './address-tally.ts';

export type WrongTokens = {
  /** The answer to a wrong token, when it is time: 401, or 429 with Retry-After. */
  readonly answer: (remoteAddress: string) => Promise<Answer>;
  readonly close: () => void;
};

/** An answer is held back at most so long. */
const maxHeldMs = 1_000;

/** Nobody has sent one yet. */
export function createWrongTokens({
  log,
  metrics,
}: {
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'count'>;
}): WrongTokens {
  const now = () => performance.now();
  const failures = createFailureTable(now);
  const waits = new LRUCache<string, number>(trackedKeys);
  const tally = tallyByAddress((ip, count) =>
    log.warn('ops-token-refused', { clientIp: ip ?? 'other addresses', count }),
  );
  return {
    answer: async (remoteAddress) => {
      const { ip, group } = peerOf(remoteAddress);
      tally.add(ip);
      const delayMs = failures.delayMs(group);
      failures.failed(group);
      const leftMs = (waits.get(group) ?? 0) - now();
      if (leftMs > 0 && delayMs > maxHeldMs) {
        metrics.count('ops-tokens-refused', { status: '429' });
        return comeLater(Math.ceil(leftMs / 1_000));
      }
      metrics.count('ops-tokens-refused', { status: '401' });
      waits.set(group, now() + failures.delayMs(group));
      await sleep(Math.min(delayMs, maxHeldMs), undefined, { ref: false });
      return closing(tokenNeeded());
    },
    close: tally.stop,
  };
}

/** 401: a token is needed. A browser asks for it as a password. */
export function tokenNeeded(): Answer {
  const answer = refusal(401, 'token-needed', 'send the token: "Authorization: Bearer TOKEN" (a browser: as password)');
  return withHeaders(answer, { 'www-authenticate': 'Basic realm="Pillarbox", charset="UTF-8"' });
}

function comeLater(seconds: number): Answer {
  const answer = refusal(429, 'wrong-tokens', `too many wrong tokens from your address: wait ${seconds} s`);
  return closing(withHeaders(answer, { 'retry-after': String(seconds) }));
}
