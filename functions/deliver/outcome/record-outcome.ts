// Records the outcome of an attempt. If a host took the message, or may have, and the store fails just then, this waits for the store:
// without the record the message would go out a second time.
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type StoredDelivery, writeDelivery } from '#functions/deliver/claim-attempt.ts';
import type { DeliverDeps } from '#functions/deliver/deliver-deps.ts';
import { type DeliveryState, deliveryRecord, deliveryStateSchema } from '#pipeline/contract/records/delivery.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import { faultOf } from '#pipeline/run/own-fault.ts';

type RecordDeps = Pick<DeliverDeps, 'store' | 'log' | 'runEndsAt'>;

/** Long enough to free a full disk; then the job is run again, and the message may be sent twice. */
const longestMs = 3_600_000;
const firstPauseMs = 50;
const longestPauseMs = 2_000;
/** What a write may take that is begun just before the run ends. */
const marginMs = 5_000;

/**
 * Writes the record after an attempt; null if another worker has moved it on. Throws if the store fails: at once if nothing is lost
 * by that, else after an hour.
 */
export async function recordOutcome(deps: RecordDeps, stored: StoredDelivery): Promise<StoredDelivery | null> {
  const until = Math.min(performance.now() + longestMs, (deps.runEndsAt ?? Number.POSITIVE_INFINITY) - marginMs);
  let hasFailed = false;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      const written = await writeDelivery(deps.store, stored);
      return written === null && hasFailed ? await writtenBefore(deps, stored) : written;
    } catch (thrown) {
      if (!isKnownHereOnly(stored) || faultOf(thrown) === null || performance.now() + pauseMs >= until) throw thrown;
      const { id, domain } = stored.state.job;
      deps.log.error('delivery-not-recorded', { id, domain, retryInSeconds: pauseMs / 1_000, ...errorFields(thrown) });
      hasFailed = true;
      await pause(pauseMs);
    }
  }
}

/** Whether a host took the message or may have, or refused it for good, so that it must not be asked again. */
function isKnownHereOnly({ state }: StoredDelivery): boolean {
  const results = state.attempts.at(-1)?.hosts.flatMap(({ recipients }) => recipients) ?? [];
  return results.some(({ outcome }) => outcome === 'accepted' || outcome === 'unknown' || outcome === 'refused');
}

/** The write that seemed to fail may have been done: then what is stored is what was to be. */
async function writtenBefore(deps: RecordDeps, { key, state }: StoredDelivery): Promise<StoredDelivery | null> {
  const found = await deliveryRecord.read(deps.store, key);
  return found !== null && isDeepStrictEqual(found.record, asStored(state)) ? { key, state, etag: found.etag } : null;
}

function asStored(state: DeliveryState): DeliveryState {
  return deliveryStateSchema.parse(JSON.parse(JSON.stringify(state)));
}
