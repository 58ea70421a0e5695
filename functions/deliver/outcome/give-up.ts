// A job that became a dead letter, here or in a stage before: its recipients are on record as given up, and the sender is told,
// by the same state and the same reports as of every other bounce. Run twice, it tells once. A redrive of the dead letter
// takes it up again (claim-attempt.ts): what the sender was told then is that it may still arrive.

import { type StoredDelivery, writeDelivery } from '#functions/deliver/claim-attempt.ts';
import type { DeliverDeps } from '#functions/deliver/deliver.ts';
import { pathsOf } from '#mail/envelope/recipient.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { type DeliveryState, pendingJob, pendingPaths } from '#pipeline/contract/records/delivery.ts';
import { nobodyAsked } from './attempt-facts.ts';
import { judgeAttempt } from './judge-attempt.ts';
import { type SettleDeps, settleDelivery } from './settle-delivery.ts';

type GiveUpDeps = SettleDeps & Pick<DeliverDeps, 'newMessageId'>;

/** The sender's part of the reason: nothing of what is wrong here, and what may still become of it. */
const givenUpReason =
  'a fault of this mail service, not of the address, kept it from being processed; if that is mended, it may still arrive';

type Task = { readonly config: Config; readonly job: DeliverJob; readonly group: string };

/** Records and tells; null if another worker has moved the record on. Throws if the platform fails. */
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

/** Who was told before that a message was given up, then had it redriven and given up once more, is not told again. */
function toldOnce({ notices: before }: DeliveryState, notices: DeliveryState['notices']): DeliveryState['notices'] {
  const told = pathsOf(before.flatMap(({ recipients }) => recipients.filter(({ action }) => action === 'failed')));
  return notices.flatMap((notice) => {
    if (before.includes(notice)) return [notice];
    const recipients = notice.recipients.filter(({ forwardPath }) => !told.has(forwardPath));
    return recipients.length === 0 ? [] : [{ ...notice, recipients }];
  });
}
