// The events in a `deliveries/` object: every host of every attempt with its reply, the reports to the sender, and what is next.
import type { ShownDelivery } from '#ops/deliveries.ts';
import type { DeliveryAttempt, DeliveryNotice, HostTry } from '#pipeline/contract/records/delivery.ts';
import type { TraceEvent } from './trace-event.ts';

/** In any order. */
export function deliveryEvents({ domain, record }: ShownDelivery): readonly TraceEvent[] {
  return [
    ...record.attempts.flatMap((attempt) => attemptEvents(domain, attempt)),
    ...record.notices.map((notice) => noticeEvent(domain, notice)),
  ];
}

/** Where it is now, as a sentence. */
export function deliveryPlace({ domain, state, record: { next, recipients, lease } }: ShownDelivery): string {
  const lost = recipients.flatMap(({ state: outcome, forwardPath, reason }) =>
    outcome === 'bounced' ? [`${forwardPath}: ${reason ?? 'refused'}`] : [],
  );
  const more = [
    ...(next === null ? [] : [`next attempt at ${next.at} (number ${next.attempt}): ${next.reason}`]),
    ...(lease === null ? [] : [`attempt ${lease.attempt} is under way since ${lease.at}`]),
    ...lost,
  ];
  return `delivery to ${domain}: ${[state, ...more].join('; ')}`;
}

function attemptEvents(domain: string, { attempt, at, reason, hosts }: DeliveryAttempt): readonly TraceEvent[] {
  const about = `attempt ${attempt} for ${domain}`;
  const tries = hosts.map((host): TraceEvent => {
    const said = host.recipients.map((one) => `${one.forwardPath} ${one.outcome}${peerWords(one)}`);
    const outcome = host.outcome === 'failed' ? `failed${peerWords(host)}` : said.join('; ');
    const where = `${host.host} [${host.ip}]${host.port === 25 ? '' : `:${host.port}`}`;
    return {
      at: host.at,
      event: 'attempt',
      text: `${about} at ${where}${tlsText(host)}, ${host.seconds.toFixed(1)} s: ${outcome}`,
      details: { domain, attempt, ...host },
    };
  });
  if (reason === null) return tries;
  return [...tries, { at, event: 'attempt', text: `${about}: ${reason}`, details: { domain, attempt } }];
}

/** Whether the session had TLS, and why not, or how far; empty if there was no session. */
function tlsText({ tls, outcome, reason }: HostTry): string {
  if (outcome === 'failed') return '';
  const note = reason === null ? '' : ` (${reason})`;
  if (tls === null) return ` in clear${note}`;
  return ` over ${tls.version}${tls.problem === null ? '' : ` (certificate not proven: ${tls.problem})`}${note}`;
}

function peerWords({ reply, reason }: Pick<HostTry, 'reply' | 'reason'>): string {
  const words = reply === null ? reason : [reply.code, reply.enhanced, reply.text].filter(Boolean).join(' ');
  return words === null ? '' : ` (${words})`;
}

function noticeEvent(domain: string, notice: DeliveryNotice): TraceEvent {
  const { id, at, outcome, recipients } = notice;
  const actions = [...new Set(recipients.map(({ action }) => action))].join(', ');
  const about = recipients.map(({ forwardPath }) => forwardPath).join(', ');
  return {
    at,
    event: 'bounce',
    text: `report to the sender (${actions}) about ${about}: ${noticeText(notice)}`,
    details: { bounceId: id, domain, outcome, recipients },
  };
}

function noticeText({ id, outcome, reason }: DeliveryNotice): string {
  switch (outcome) {
    case 'owed':
      return `message ${id} is about to be written`;
    case 'sent':
      return `message ${id}`;
    case 'dropped':
      return `not sent, ${reason ?? 'there is nobody to tell'}`;
  }
}
