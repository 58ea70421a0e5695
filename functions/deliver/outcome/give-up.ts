// A job that became a dead letter, here or in a stage before: its recipients are recorded as given up, and the sender gets a bounce, once
// even if this runs twice. A redrive of the dead letter tries them again (claim-attempt.ts); the bounce says that this may happen.
import { type StoredDelivery, writeDelivery } from '#functions/deliver/claim-attempt.ts';
import type { DeliverDeps } from '#functions/deliver/deliver-deps.ts';
import { pathsOf } from '#mail/envelope/recipient.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { type DeliveryState, pendingJob, pendingPaths } from '#pipeline/contract/records/delivery.ts';
import { nobodyAsked } from './attempt-facts.ts';
import { judgeAttempt } from './judge-attempt.ts';
import { type SettleDeps, settleDelivery } from './settle-delivery.ts';

type GiveUpDeps = SettleDeps & Pick<DeliverDeps, 'newMessageId'>;

/** What the sender is told: not what is wrong here, but what may still become of the message. */
const givenUpReason =
  'a fault of this mail service, not of the address, kept it from being processed; if that is mended, it may still arrive';

type Task = { readonly config: Config; readonly job: DeliverJob; readonly group: string };

/** Records it and notifies the sender; null if another worker has written the record. Throws if the platform fails. */
export async function giveUp(
  deps: GiveUpDeps,
  { config, job, group }: Task,
  found: StoredDelivery,
): Promise<{ readonly outcome: 'bounced'; readonly reason: string } | null> {
  const { queue = 'deliver', reason = '' } = job.givenUp ?? {};
  const now = deps.clock();
  const asked = pathsOf(pendingJob(job, pendingPaths(found.state)).envelope.recipients);
  const facts = nobodyAsked(
    { at: now, reason: `given up on queue ${queue}: ${reason}` },
    { permanent: { status: '5.3.0', reason: givenUpReason } },
  );
  const judged = judgeAttempt(
    { ...found.state, lease: null },
    { ...facts, record: { ...facts.record, attempt: job.attempt }, asked },
    {
      delivery: config.delivery,
      now,
      random: () => 0,
      isPortBlocked: false,
      noticeId: () => deps.newMessageId(now),
    },
  );
  const givenUp = { queue, reason, at: new Date(now).toISOString(), recipients: [...asked] };
  const state = { ...judged, givenUp, notices: toldOnce(found.state, judged.notices) };
  const written = await writeDelivery(deps.store, { ...found, state });
  if (written === null) return null;
  deps.metrics.count('deliveries', { outcome: 'given-up' });
  deps.log.error('delivery-given-up', { id: job.id, domain: job.domain, queue, reason });
  await settleDelivery(deps, config, { ...written, group });
  return { outcome: 'bounced', reason };
}

/** A message that is redriven and given up once more does not bounce twice. */
function toldOnce({ notices: before }: DeliveryState, notices: DeliveryState['notices']): DeliveryState['notices'] {
  const told = pathsOf(before.flatMap(({ recipients }) => recipients.filter(({ action }) => action === 'failed')));
  return notices.flatMap((notice) => {
    if (before.includes(notice)) return [notice];
    const recipients = notice.recipients.filter(({ forwardPath }) => !told.has(forwardPath));
    return recipients.length === 0 ? [] : [{ ...notice, recipients }];
  });
}
