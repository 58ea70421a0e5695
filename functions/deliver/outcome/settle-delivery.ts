// Carries out what follows from a recorded attempt: notifications, the next attempt, suppressions. The record says all of it first, so
// that it is done again after a crash; each part can be done twice without harm.
import { type StoredDelivery, writeDelivery } from '#functions/deliver/claim-attempt.ts';
import type { DeliverDeps } from '#functions/deliver/deliver-deps.ts';
import type { Config } from '#pipeline/config/config.ts';
import { type DeliveryState, pendingJob, pendingPaths } from '#pipeline/contract/records/delivery.ts';
import { whyNotTold } from '#pipeline/contract/sender-proof.ts';
import { type NotifyDeps, notifySender } from './notify-sender.ts';
import { suppress } from './suppress.ts';

export type SettleDeps = NotifyDeps & Pick<DeliverDeps, 'log' | 'metrics' | 'memory'>;

/** Does what a record owes and notes that; the next attempt is queued in this fair-queue group. Costs nothing if it owes nothing. */
export async function settleDelivery(
  deps: SettleDeps,
  config: Config,
  { group, ...stored }: StoredDelivery & { readonly group: string },
): Promise<void> {
  const { state } = stored;
  const attempt = state.attempts.at(-1);
  if (attempt !== undefined) await suppress(deps, state, attempt);
  const isOwing = state.notices.some(({ outcome }) => outcome === 'owed');
  if (!isOwing && (state.next === null || state.next.queued)) return;
  const notices = await Promise.all(state.notices.map((notice) => settleNotice(deps, config, { state, notice })));
  const next = await queueNext(deps, state, group);
  await writeDelivery(deps.store, { ...stored, state: { ...state, notices, next } });
}

type Owed = { readonly state: DeliveryState; readonly notice: DeliveryState['notices'][number] };

async function settleNotice(deps: SettleDeps, config: Config, owed: Owed): Promise<Owed['notice']> {
  const { notice, state } = owed;
  if (notice.outcome !== 'owed') return notice;
  const told = await notifySender(deps, config, owed);
  const action = notice.recipients[0]?.action ?? 'failed';
  const reason = told.outcome === 'dropped' ? told.reason : null;
  // A proven sender that cannot be notified is one of ours without a mailbox: the operator should know.
  const isLost = told.outcome === 'dropped' && whyNotTold(state.job) === null;
  const facts = { id: state.job.id, notice: notice.id, action, outcome: told.outcome, reason };
  deps.log[isLost ? 'warn' : 'info']('delivery-notice', facts);
  deps.metrics.count('delivery-notices', { action, outcome: told.outcome });
  return { ...notice, outcome: told.outcome, reason };
}

async function queueNext({ jobs }: SettleDeps, state: DeliveryState, group: string): Promise<DeliveryState['next']> {
  const { next, job, firstAttemptAt } = state;
  if (next === null || next.queued) return next;
  const again = { ...pendingJob(job, pendingPaths(state)), attempt: next.attempt, firstAttemptAt };
  await jobs.send('deliver', again, { notBefore: next.at, group });
  return { ...next, queued: true };
}
