// An attempt in the log, in the metrics, and as the outcome of its job.
import type { DeliverDeps } from '#functions/deliver/deliver-deps.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import type { DeliveryState } from '#pipeline/contract/records/delivery.ts';
import type { AttemptFacts } from './attempt-facts.ts';
import { refusesUs } from './relay-refusal.ts';

/**
 * `delivered`, `bounced`, `partial` (some of each): all is done. `deferred`: the rest is tried again at `retryAt`. `isOurFault`: no
 * host was asked, or the relay does not send for us, because of something of ours that is still to be mended.
 */
export type AttemptOutcome =
  | { readonly outcome: 'delivered' }
  | { readonly outcome: 'partial' | 'bounced'; readonly reason: string; readonly isOurFault?: boolean }
  | { readonly outcome: 'deferred'; readonly retryAt: string; readonly reason: string; readonly isOurFault?: boolean };

type ReportDeps = Pick<DeliverDeps, 'log' | 'metrics'>;

/** Reports an attempt that is on record. */
export function reportAttempt({ log, metrics }: ReportDeps, state: DeliveryState, facts: AttemptFacts): AttemptOutcome {
  const { id, domain } = state.job;
  const reason = state.recipients.find((recipient) => recipient.state !== 'delivered')?.reason ?? '';
  const host = facts.record.hosts.at(-1)?.host;
  const { seconds } = facts.record;
  const retryAt = state.next?.at;
  metrics.count('deliveries', { outcome: state.state === 'waiting' ? 'deferred' : state.state });
  metrics.measure('delivery-seconds', seconds);
  log.info('delivery-attempt', { id, domain, outcome: state.state, host, seconds, reason, retryAt });
  const isRefused = retryAt !== undefined && facts.record.hosts.some(refusesUs);
  const fault = facts.unasked === 'own-fault' || isRefused ? { isOurFault: true } : {};
  if (isRefused) {
    log.error('own-fault', { id, domain, fault: 'relay', reason, retryAt });
    metrics.count('own-faults', { kind: 'relay' });
  }
  switch (state.state) {
    case 'delivered':
      return { outcome: 'delivered' };
    case 'bounced':
    case 'partial':
      return { outcome: state.state, reason, ...fault };
    case 'sending':
    case 'waiting':
      return { outcome: 'deferred', retryAt: retryAt ?? state.updatedAt, reason, ...fault };
  }
}

/** Another worker has taken the attempt over meanwhile: what this one did is only logged. */
export function reportLostLease(
  { log, metrics }: ReportDeps,
  { id, domain }: DeliverJob,
  { record }: AttemptFacts,
): { readonly outcome: 'duplicate' } {
  const results = record.hosts.flatMap(({ recipients }) => recipients.map(({ outcome }) => outcome)).join(' ');
  log.error('delivery-lease-lost', { id, domain, results });
  metrics.count('delivery-leases-lost');
  return { outcome: 'duplicate' };
}
