// A job that became a dead letter, here or in a stage before: its recipients are on record as given up, and the sender is told,
// by the same state and the same reports as of every other bounce. Run twice, it tells once. A redrive of the dead letter
// takes it up again (claim-attempt.ts): what the sender was told then is that it may still arrive.

import { nothing } from '#functions/deliver/attempt-delivery.ts';
import { isLeaseAlive, readState, writeState } from '#functions/deliver/claim-attempt.ts';
import { type RequeueDeps, type Waiting, wait } from '#functions/deliver/requeue.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { deliveryKey } from '#pipeline/contract/keys.ts';
import { type DeliveryState, newDeliveryState } from '#pipeline/contract/records/delivery.ts';
import { judgeAttempt } from './judge-attempt.ts';
import { type SettleDeps, settleDelivery } from './settle-delivery.ts';

export type GiveUpDeps = SettleDeps &
  RequeueDeps & {
    readonly store: SettleDeps['store'] & RequeueDeps['store'];
    readonly newMessageId: (nowMs: number) => string;
    readonly memory: { readonly owner: string };
    readonly soleWorker?: boolean;
  };

/** The sender's part of the reason: nothing of what is wrong here, and what may still become of it. */
export const givenUpReason =
  'a fault of this mail service, not of the address, kept it from being processed; if that is mended, it may still arrive';

type GivenUp = NonNullable<DeliverJob['givenUp']>;

/** Records and tells. Throws where the platform fails. */
export async function giveUp(
  deps: GiveUpDeps,
  config: Config,
  { job, givenUp }: { readonly job: DeliverJob; readonly givenUp: GivenUp },
): Promise<{ readonly outcome: 'bounced'; readonly reason: string } | { readonly outcome: 'duplicate' } | Waiting> {
  const key = deliveryKey(job);
  const now = deps.clock();
  const fresh = newDeliveryState(withoutMark(job), now);
  // A record that cannot be read may be why the job died: its sender is told all the same, of those the job was for.
  const stored = await readState(deps.store, key, (reason) => {
    deps.log.error('delivery-record-unreadable', { id: job.id, domain: job.domain, reason: reason.slice(0, 500) });
    return fresh;
  });
  const before = stored?.state ?? fresh;
  const { lease } = before;
  if (lease !== null && isLeaseAlive(lease, { ...deps, owner: deps.memory.owner, now }))
    return wait(deps, job, { until: lease.until, reason: 'another worker is at it', group: job.domain });
  if (!isPending(before, job)) {
    if (stored !== null) await settleDelivery(deps, config, { ...stored, group: job.domain });
    return { outcome: 'duplicate' };
  }
  const state = afterGivingUp(withRecipientsOf(before, job), job, {
    givenUp,
    config,
    now,
    noticeId: () => deps.newMessageId(now),
  });
  const written = await writeState(deps.store, { key, state, etag: stored?.etag ?? null });
  if (written === null)
    return wait(deps, job, {
      until: new Date(now + 1_000).toISOString(),
      reason: 'another worker moved it on',
      group: job.domain,
    });
  deps.metrics.count('deliveries', { outcome: 'given-up' });
  deps.log.error('delivery-given-up', { id: job.id, domain: job.domain, ...givenUp });
  await settleDelivery(deps, config, { ...written, group: job.domain });
  return { outcome: 'bounced', reason: givenUp.reason };
}

/** Whether there is somebody left to give up; a job that the delivery has moved on from is nobody's loss. */
function isPending({ next, recipients }: DeliveryState, job: DeliverJob): boolean {
  if (next !== null && job.attempt < next.attempt) return false;
  const states = new Map(recipients.map(({ forwardPath, state }) => [forwardPath, state]));
  return job.recipients.some(({ forwardPath }) => (states.get(forwardPath) ?? 'pending') === 'pending');
}

/** Those that the state does not know (the report of others of this domain has made it) come in as pending. */
function withRecipientsOf(state: DeliveryState, job: DeliverJob): DeliveryState {
  const known = new Set(state.recipients.map(({ forwardPath }) => forwardPath));
  const more = job.recipients.filter(({ forwardPath }) => !known.has(forwardPath));
  if (more.length === 0) return state;
  const added = newDeliveryState({ ...job, recipients: more }, 0).recipients;
  const all = { ...state.job, recipients: [...state.job.recipients, ...more] };
  return { ...state, job: all, recipients: [...state.recipients, ...added] };
}

type Facts = {
  readonly givenUp: GivenUp;
  readonly config: Config;
  readonly now: number;
  readonly noticeId: () => string;
};

function afterGivingUp(before: DeliveryState, { attempt }: DeliverJob, facts: Facts): DeliveryState {
  const { givenUp, config, now, noticeId } = facts;
  const at = new Date(now).toISOString();
  const reason = `given up on queue ${givenUp.queue}: ${givenUp.reason}`;
  const state = judgeAttempt(
    { ...before, lease: null },
    {
      ...nothing,
      record: { attempt, at, seconds: 0, reason, hosts: [] },
      permanent: { status: '5.3.0', reason: givenUpReason },
    },
    { delivery: config.delivery, now, random: () => 0, isPortBlocked: false, noticeId },
  );
  const pending = before.recipients.filter((recipient) => recipient.state === 'pending');
  const recipients = pending.map(({ forwardPath }) => forwardPath);
  return { ...state, givenUp: { ...givenUp, at, recipients }, notices: toldOnce(before, state.notices) };
}

/** Who was told before that a message was given up, then had it redriven in vain, is not told again. */
function toldOnce({ notices: before }: DeliveryState, notices: DeliveryState['notices']): DeliveryState['notices'] {
  const failed = before.flatMap(({ recipients }) => recipients.filter(({ action }) => action === 'failed'));
  const told = new Set(failed.map(({ forwardPath }) => forwardPath));
  return notices.flatMap((notice) => {
    if (before.includes(notice)) return [notice];
    const recipients = notice.recipients.filter(({ forwardPath }) => !told.has(forwardPath));
    return recipients.length === 0 ? [] : [{ ...notice, recipients }];
  });
}

function withoutMark({ givenUp: _, ...job }: DeliverJob): DeliverJob {
  return job;
}
