// What follows from an attempt: who is delivered, who bounces and why, when the rest is tried again, who must be told. Pure.
// Which of several hosts' answers about one recipient counts, and every enhanced status code (RFC 3463) that we choose, are here.

import { isReportWanted } from '#mail/dsn/dsn.ts';
import type { DsnAction } from '#mail/dsn/dsn-input.ts';
import type { RecipientAtHost, RecipientDelivery, RemoteRecipient } from '#mail/envelope/recipient.ts';
import { shownReply } from '#mail/smtp/reply.ts';
import type { Config } from '#pipeline/config/config.ts';
import {
  askedRecipient,
  type DeliveryAttempt,
  type DeliveryNotice,
  type DeliveryState,
  type HostTry,
  pendingPaths,
} from '#pipeline/contract/records/delivery.ts';
import { longestFaultWaitSeconds } from '#pipeline/run/judge-failure.ts';
import type { AttemptFacts } from './attempt-facts.ts';
import { refusesUs } from './relay-refusal.ts';
import { nextAttempt } from './retry-schedule.ts';

/** `now` is when the attempt ended, in milliseconds since 1970. */
export type JudgeRules = {
  readonly delivery: Config['delivery'];
  readonly now: number;
  readonly random: () => number;
  /** While the network lets no mail out, none is given up. */
  readonly isPortBlocked: boolean;
  /** The id of a notification, should one be owed. */
  readonly noticeId: () => string;
};

type Facts = Pick<AttemptFacts, 'permanent' | 'dsnPassedOn' | 'isExhausted' | 'soonMs' | 'unasked'> & {
  readonly record: DeliveryAttempt;
  /** The recipients that it was about, by forward-path. */
  readonly asked: ReadonlySet<string>;
};

const keptAtStart = 10;
const keptAtEnd = 90;

/** The state after an attempt: without lease, with the attempt on record, everything owed noted as owed. */
export function judgeAttempt(before: DeliveryState, facts: Facts, rules: JudgeRules): DeliveryState {
  const at = new Date(rules.now).toISOString();
  const judged = before.recipients.map((recipient) =>
    recipient.state === 'pending' && facts.asked.has(recipient.forwardPath)
      ? judgeRecipient(recipient, facts, { before, at })
      : recipient,
  );
  const plan = planNext(before, facts, rules);
  const recipients = plan.outcome === 'give-up' ? judged.map((recipient) => giveUp(recipient, before, at)) : judged;
  const isWaiting = recipients.some(({ state }) => state === 'pending');
  const isLate = rules.now - Date.parse(before.job.receivedAt) >= rules.delivery.delayWarningSeconds * 1000;
  const warns = isWaiting && isLate && before.warnedAt === null;
  const notice = noticeOwed(before, { recipients, warns, facts }, { at, id: rules.noticeId });
  const reason = recipients.find(({ state }) => state === 'pending')?.reason ?? '';
  const next =
    plan.outcome === 'retry' && isWaiting
      ? { attempt: facts.record.attempt + 1, at: plan.at, reason, queued: false }
      : null;
  return {
    ...before,
    state: isWaiting ? 'waiting' : finalWord(recipients),
    firstAttemptAt: before.firstAttemptAt ?? facts.record.at,
    updatedAt: at,
    recipients,
    attempts: shortened([...before.attempts, facts.record]),
    lease: null,
    next,
    warnedAt: warns ? at : before.warnedAt,
    notices: notice === null ? before.notices : [...before.notices, notice],
  };
}

type Verdict = { readonly weight: number; readonly state: RecipientDelivery };

function judgeRecipient(
  recipient: RecipientDelivery,
  facts: Facts,
  { before, at }: { readonly before: DeliveryState; readonly at: string },
): RecipientDelivery {
  if (facts.permanent !== null) {
    const { status, reason } = facts.permanent;
    return { ...recipient, state: 'bounced', status, reason, diagnostic: null, host: null, at };
  }
  if (facts.unasked === 'delivered-locally') {
    const isAlias = (askedRecipient(before, recipient.forwardPath)?.originalForwardPath ?? null) !== null;
    const reason = isAlias ? 'it was passed on to the addresses behind it' : 'it was delivered here';
    return { ...recipient, state: 'delivered', status: '2.0.0', reason, diagnostic: null, host: null, at };
  }
  if (facts.unasked === 'own-fault') {
    // The attempt's record says what exactly is wrong; the sender gets no more than this.
    return { ...recipient, status: '4.3.0', reason: 'a fault of this mail service kept it from going out', at };
  }
  const verdicts = facts.record.hosts.flatMap((host) => verdictsOf(recipient, host, at));
  const refusedByAll = facts.isExhausted && facts.record.hosts.length > 0 && facts.record.hosts.every(takesNoMail);
  const best = verdicts.reduce<Verdict | null>((a, b) => (a === null || b.weight >= a.weight ? b : a), null);
  // No host was asked: what one of them said before still stands.
  if (best === null && facts.unasked === 'unavailable' && recipient.status !== null) return recipient;
  if (best === null)
    return { ...recipient, status: '4.4.3', reason: facts.record.reason ?? 'there was no host to try', at };
  if (!refusedByAll) return best.state;
  // RFC 5321 §3.1, RFC 7504: a host that greets with 554 or 521 takes no mail; if all of them do, none will.
  return { ...best.state, state: 'bounced', status: best.state.status?.replace(/^4/, '5') ?? '5.3.2' };
}

function takesNoMail({ outcome, stage, reply }: HostTry): boolean {
  return outcome === 'failed' && (stage === 'greeting' || stage === 'hello') && reply !== null && reply.code >= 500;
}

/** The weights, from the heaviest: accepted, refused, perhaps delivered, deferred, unable, lost before sending, not even reached. */
function verdictsOf(recipient: RecipientDelivery, tried: HostTry, at: string): Verdict[] {
  const { host } = tried;
  const seen = { ...recipient, host, at };
  if (tried.outcome === 'failed') {
    const diagnostic = tried.reply === null ? null : shownReply(tried.reply);
    const known = tried.reply?.enhanced ?? null;
    const otherwise = tried.reply !== null ? '4.3.2' : tried.stage === 'tls' ? '4.7.5' : '4.4.1';
    const status = known === null ? otherwise : temporaryStatus(known);
    return [{ weight: 0, state: { ...seen, status, diagnostic, reason: `${host}: ${tried.reason ?? 'failed'}` } }];
  }
  return tried.recipients
    .filter(({ forwardPath }) => forwardPath === recipient.forwardPath)
    .map((result) => verdictOf(result, { ...seen, host }));
}

function verdictOf(result: RecipientAtHost, seen: RecipientDelivery & { readonly host: string }): Verdict {
  const { outcome, stage, reply, reason } = result;
  const { host } = seen;
  const words = reply === null ? (reason ?? '') : shownReply(reply);
  const isOurs = stage === 'capability';
  const state = { ...seen, diagnostic: reply === null || isOurs ? null : words };
  switch (outcome) {
    case 'accepted': {
      const status = reply?.enhanced ?? '2.0.0';
      return { weight: 6, state: { ...state, state: 'delivered', status, reason: `${host} took it` } };
    }
    case 'refused': {
      const status = reply?.enhanced ?? (stage === 'rcpt' ? '5.1.0' : '5.0.0');
      const said = isOurs ? `${host}: ${reason ?? words}` : `${host} refused ${refusedWhat(stage)}: ${words}`;
      return { weight: isOurs ? 2 : 5, state: { ...state, state: 'bounced', status, reason: said } };
    }
    case 'unknown':
      return { weight: 4, state: { ...state, status: '4.4.2', reason: `${host}: ${words}` } };
    case 'deferred': {
      const status = temporaryStatus(reply?.enhanced ?? null);
      const said = reason === null ? `${host} said later: ${words}` : `${host}: ${reason}: ${words}`;
      return { weight: 3, state: { ...state, status, reason: said } };
    }
    case 'untried': {
      const said = `${host}: at ${stage.toUpperCase()}: ${words}`;
      return { weight: 1, state: { ...state, status: '4.4.2', reason: said } };
    }
  }
}

function refusedWhat(stage: string): string {
  if (stage === 'rcpt') return 'the address';
  return stage === 'mail' ? 'the sender' : 'the message';
}

function planNext(
  before: DeliveryState,
  { record: { attempt, hosts }, soonMs, unasked }: Facts,
  { delivery, now, random, isPortBlocked }: JudgeRules,
): ReturnType<typeof nextAttempt> {
  // A message that waits because of a fault of ours is tried again soon after that is mended.
  const isOurs = unasked === 'own-fault' || hosts.some(refusesUs);
  const longestSeconds = isOurs ? longestFaultWaitSeconds * 0.9 : Number.POSITIVE_INFINITY;
  const plan = nextAttempt({
    attempt,
    now,
    retrySeconds: delivery.retrySeconds.map((seconds) => Math.min(seconds, longestSeconds)),
    expiresAt: before.job.expiresAt,
    random,
  });
  if (plan.outcome === 'retry' && soonMs !== null && now + soonMs < Date.parse(plan.at)) {
    return { outcome: 'retry', at: new Date(now + soonMs).toISOString() };
  }
  if (plan.outcome === 'retry' || !isPortBlocked) return plan;
  return { outcome: 'retry', at: new Date(now + (delivery.retrySeconds.at(-1) ?? 0) * 1000).toISOString() };
}

function giveUp(recipient: RecipientDelivery, { job }: DeliveryState, at: string): RecipientDelivery {
  if (recipient.state !== 'pending') return recipient;
  const tried = shownDuration(Date.parse(at) - Date.parse(job.receivedAt));
  const reason = `it could not be delivered for ${tried}; the last reason was: ${recipient.reason ?? 'unknown'}`;
  return { ...recipient, state: 'bounced', status: '5.4.7', reason, at }; // RFC 3463 §3.5: delivery time expired
}

type Told = { readonly recipients: readonly RecipientDelivery[]; readonly warns: boolean; readonly facts: Facts };

/** One notification of all that came of this attempt (RFC 3461 §4.1: to those who want it). */
function noticeOwed(
  before: DeliveryState,
  told: Told,
  { at, id }: { readonly at: string; readonly id: () => string },
): DeliveryNotice | null {
  const { reversePath } = before.job.envelope;
  const wasPending = pendingPaths(before);
  const owed = told.recipients.flatMap(({ forwardPath, state }) => {
    const recipient = askedRecipient(before, forwardPath);
    if (recipient === undefined || !wasPending.has(forwardPath)) return [];
    const action = actionFor(recipient, state, told);
    if (action === null || !isReportWanted(reversePath, action, recipient.dsn.notify)) return [];
    return [{ forwardPath, action }];
  });
  return owed.length === 0 ? null : { id: id(), at, outcome: 'owed', reason: null, recipients: owed };
}

function actionFor(
  { forwardPath, originalForwardPath }: RemoteRecipient,
  state: RecipientDelivery['state'],
  { warns, facts: { dsnPassedOn, unasked } }: Told,
): DsnAction | null {
  switch (state) {
    case 'bounced':
      return 'failed';
    case 'pending':
      return warns ? 'delayed' : null;
    case 'delivered':
      if (originalForwardPath !== null) return 'expanded';
      if (unasked === 'delivered-locally') return 'delivered';
      return dsnPassedOn.has(forwardPath) ? null : 'relayed';
  }
}

function finalWord(recipients: readonly RecipientDelivery[]): 'delivered' | 'bounced' | 'partial' {
  if (recipients.every(({ state }) => state === 'delivered')) return 'delivered';
  return recipients.every(({ state }) => state === 'bounced') ? 'bounced' : 'partial';
}

/** Of an answer that is not final, whatever its class says: 554 to EHLO, 250 to DATA. */
function temporaryStatus(enhanced: string | null): string {
  return enhanced === null ? '4.0.0' : enhanced.replace(/^\d/, '4');
}

function shownDuration(ms: number): string {
  const hours = Math.round(ms / 3_600_000);
  if (hours >= 48) return `${Math.round(hours / 24)} days`;
  if (hours >= 2) return `${hours} hours`;
  return ms >= 120_000 ? `${Math.round(ms / 60_000)} minutes` : `${Math.max(1, Math.round(ms / 1_000))} seconds`;
}

function shortened(attempts: DeliveryState['attempts']): DeliveryState['attempts'] {
  return attempts.length <= keptAtStart + keptAtEnd
    ? attempts
    : [...attempts.slice(0, keptAtStart), ...attempts.slice(-keptAtEnd)];
}
