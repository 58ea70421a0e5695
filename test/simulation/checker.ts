// What has to hold after every seed: each acknowledged message is, for each of its places, exactly one of in the inbox, in quarantine,
// delivered, bounced, waiting, or dead-lettered with an alarm; never twice in an inbox; twice elsewhere only where nobody could know; not
// altered; and nobody waited longer than promised.
import { createHash } from 'node:crypto';
import type { DeliveryState } from '#pipeline/contract/records/delivery.ts';
import { inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';
import { whyNotTold } from '#pipeline/contract/sender-proof.ts';
import type { Written } from '#test/simulation/aws/sim-s3.ts';
import type { Taken } from '#test/simulation/mail/peer.ts';
import { addresses, isForged, type Place } from '#test/simulation/mail/places.ts';
import { type Dead, domainOf, type Evidence, gatherEvidence } from './evidence.ts';
import { lateness } from './promises.ts';
import type { Outcome } from './world.ts';

/** A message that the service owes to its places. `content`: the bytes that must arrive; null for a report, which the service wrote. */
type Owed = {
  readonly id: string;
  readonly at: number;
  readonly places: readonly Place[];
  readonly content: Buffer | null;
};

type Case = { readonly outcome: Outcome; readonly evidence: Evidence; readonly owed: Owed };

/** What became of a message at a place; `at`: when, for what has an end. */
type Fate =
  | { readonly fate: 'in the inbox' | 'in quarantine' | 'delivered' | 'bounced' | 'dead-lettered'; readonly at: number }
  | { readonly fate: 'waiting' };

/** Checks a seed. Answers sentences, one for each promise that was broken; none if all is well. */
export function checkOutcome(outcome: Outcome): readonly string[] {
  const evidence = gatherEvidence(outcome);
  const messages = outcome.acknowledged.map((acknowledged) => owedFor(acknowledged, evidence));
  const reports = evidence.records.flatMap((state) => reportsOf(state));
  const broken = [...messages, ...reports].flatMap((owed) => checkMessage({ outcome, evidence, owed }));
  if (!outcome.isQuiet && !outcome.isCutOff) broken.push('work is still left at the end of all times');
  if (outcome.isQuiet) broken.push(...evidence.records.flatMap(unsettled));
  return broken;
}

/** How many of the places of a seed came to which end. */
export function countFates(outcome: Outcome): Readonly<Record<string, number>> {
  const evidence = gatherEvidence(outcome);
  const counts: Record<string, number> = {};
  for (const acknowledged of outcome.acknowledged) {
    const owed = owedFor(acknowledged, evidence);
    for (const place of owed.places) {
      const [first] = fatesOf({ outcome, evidence, owed }, place);
      const name = first?.fate ?? 'lost';
      counts[name] = (counts[name] ?? 0) + 1;
    }
  }
  return counts;
}

/** What policy withholds does not go out: it is in the quarantine of the alias itself, or only in that of its mailboxes. */
function owedFor({ id, at, message, recipients }: Outcome['acknowledged'][number], evidence: Evidence): Owed {
  const isHeld = isForged(message.sender) && evidence.isHeld(id);
  const places = recipients.flatMap((recipient): readonly Place[] => {
    const all = addresses[recipient] ?? [];
    if (!isHeld) return all;
    const mailboxes = all.filter(({ kind }) => kind === 'mailbox');
    return mailboxes.length > 0 ? mailboxes : [{ kind: 'mailbox', address: recipient }];
  });
  const distinct = new Map(places.map((place) => [place.address, place]));
  return { id, at, content: message.bytes, places: [...distinct.values()] };
}

/** A report that was sent is a message like any other: the service has promised it to itself. */
function reportsOf({ notices, job }: DeliveryState): Owed[] {
  const sender = senderOf(job.envelope.reversePath);
  if (sender === null) return [];
  return notices.flatMap(({ id, at, outcome }) =>
    outcome === 'sent'
      ? [{ id, at: Date.parse(at), content: null, places: [{ kind: 'remote', address: sender }] }]
      : [],
  );
}

/** The sender behind a return address of ours. */
function senderOf(reversePath: string): string | null {
  const [, domain, localPart] = /^SRS0=[^=]+=[^=]+=([^=]+)=([^@]+)@/.exec(reversePath) ?? [];
  if (domain !== undefined) return `${localPart}@${domain}`;
  return /@sender\.example$/.test(reversePath) ? reversePath : null;
}

function unsettled({ job, notices, next, state, recipients }: DeliveryState): string[] {
  const isOwing = notices.some(({ outcome }) => outcome === 'owed') || next?.queued === false;
  const told = notices.flatMap(({ recipients }) => recipients.filter(({ action }) => action === 'failed'));
  const twice = told.length > new Set(told.map(({ forwardPath }) => forwardPath)).size;
  const untold = recipients.flatMap(({ state: end, forwardPath }) =>
    end === 'bounced' && whyNotTold(job) === null && !told.some((one) => one.forwardPath === forwardPath)
      ? [`${job.id} for ${forwardPath}: bounced, and its sender is not told`]
      : [],
  );
  return [
    ...untold,
    ...(isOwing ? [`${job.id} to ${job.domain} (${state}): something is owed, and nobody is left to do it`] : []),
    ...(twice ? [`${job.id} to ${job.domain}: its sender was told twice`] : []),
  ];
}

function checkMessage(one: Case): string[] {
  return one.owed.places.flatMap((place) => {
    const named = `${one.owed.id} for ${place.address}`;
    return [...checkPlace(one, place), ...checkContent(one, place)].map((what) => `${named}: ${what}`);
  });
}

function checkPlace(one: Case, place: Place): string[] {
  const { outcome, evidence, owed } = one;
  const fates = fatesOf(one, place);
  const [fate] = fates;
  if (fate === undefined) return ['lost'];
  const names = fates.map((found) => found.fate);
  const broken: string[] = [];
  if (names.length > 1) broken.push(`at once ${names.join(' and ')}`);
  const isPoison = outcome.acknowledged.some(({ id, message }) => id === owed.id && outcome.poison.has(message.n));
  const isDoomed = (isPoison && place.kind === 'mailbox') || fate.fate === 'dead-lettered';
  const late = lateness(outcome, {
    at: owed.at,
    kind: isDoomed ? 'doomed' : place.kind,
    endAt: 'at' in fate ? fate.at : null,
    fate: fate.fate,
  });
  if (late !== null) broken.push(late);
  if (fate.fate === 'waiting' && outcome.isQuiet) broken.push('waiting, and no job leads there');
  if (
    fate.fate === 'dead-lettered' &&
    !evidence.deadIn(owed.id, place).every(({ queue }) => outcome.watched.has(queue))
  ) {
    broken.push('dead-lettered without an alarm');
  }
  if (fate.fate === 'dead-lettered' && outcome.isQuiet && !isTold(one, place)) {
    broken.push('dead-lettered, and its sender is not told');
  }
  return broken;
}

/** Whoever may be told of a dead letter has a report: in the record of the place's domain, ours too. */
function isTold({ evidence, owed }: Case, place: Place): boolean {
  if (!evidence.deadIn(owed.id, place).some(({ mayTell }) => mayTell)) return true;
  return evidence.records.some(
    ({ job, notices }) =>
      job.id === owed.id &&
      notices.some(({ recipients }) =>
        recipients.some(({ action, forwardPath }) => action === 'failed' && isFor(forwardPath, place)),
      ),
  );
}

/** An address of ours, or of others, leads to the place. */
function isFor(forwardPath: string, { address }: Place): boolean {
  return forwardPath === address || (addresses[forwardPath] ?? []).some((place) => place.address === address);
}

/** What is true of it: exactly one may be. A job that is there although all is done is a duplicate, and does no harm. */
function fatesOf(one: Case, place: Place): readonly Fate[] {
  return place.kind === 'mailbox' ? fatesInMailbox(one, place) : fatesElsewhere(one, place);
}

function fatesInMailbox({ evidence, owed }: Case, place: Place): readonly Fate[] {
  const stored = evidence.stored(owed.id, place).map(({ key, at }): Fate => {
    return { fate: key.startsWith('quarantine') ? 'in quarantine' : 'in the inbox', at };
  });
  if (stored.length > 0) return stored;
  if (evidence.isWaiting(owed.id, place)) return [{ fate: 'waiting' }];
  return deadLettered(evidence.deadIn(owed.id, place));
}

function fatesElsewhere({ evidence, owed }: Case, place: Place): readonly Fate[] {
  const record = evidence.record(owed.id, domainOf(place.address))?.state ?? null;
  const recipient = record?.recipients.find(({ forwardPath }) => forwardPath === place.address);
  const dead = deadLettered(evidence.deadIn(owed.id, place));
  const at = Date.parse(recipient?.at ?? '');
  if (recipient?.state === 'delivered') return [{ fate: 'delivered', at }];
  if (record?.givenUp?.recipients.includes(place.address) === true && dead.length > 0) return dead;
  if (recipient?.state === 'bounced') return [{ fate: 'bounced', at }];
  if (evidence.isWaiting(owed.id, place)) return [{ fate: 'waiting' }];
  return dead;
}

function deadLettered([first]: readonly Dead[]): readonly Fate[] {
  return first === undefined ? [] : [{ fate: 'dead-lettered', at: first.at }];
}

function checkContent(one: Case, place: Place): string[] {
  const { outcome, evidence, owed } = one;
  if (place.kind === 'mailbox')
    return evidence.stored(owed.id, place).flatMap((written) => checkJson(outcome, owed, written));
  const copies = evidence.copies(owed.id, place.address);
  const found = evidence.record(owed.id, domainOf(place.address));
  const recipient = found?.state.recipients.find(({ forwardPath }) => forwardPath === place.address);
  const broken = copies.flatMap(({ bytes, host }) =>
    owed.content === null || endsWith(bytes, owed.content) ? [] : [`${host} was given other bytes`],
  );
  if (recipient?.state === 'delivered' && copies.length === 0)
    broken.push('delivered by the record, and no host has it');
  if (
    recipient?.state === 'bounced' &&
    copies.some(
      ({ arrivedAt, owner }) => arrivedAt !== null && !hasExcuse(one, found!.key, { arrivedAt, owner }, outcome.endMs),
    )
  ) {
    broken.push('bounced, and a host has it and said so');
  }
  for (const [n, copy] of copies.slice(0, -1).entries()) {
    if (!hasExcuse(one, found?.key ?? '', copy, copies[n + 1]!.at)) broken.push(`twice at other hosts (${copy.host})`);
  }
  return broken;
}

/** Nobody could know that a host had it: its answer was lost, or who got the answer could not record it before the next attempt. */
function hasExcuse({ outcome }: Case, key: string, copy: Pick<Taken, 'arrivedAt' | 'owner'>, nextAt: number): boolean {
  const { arrivedAt, owner } = copy;
  if (arrivedAt === null || owner === null) return true;
  const isRecorded = outcome.s3.writes.some(
    ({ key: written, at, by, bytes }) =>
      written === key &&
      by === owner.name.replace(/-\d+$/, '') &&
      at >= arrivedAt &&
      at < nextAt &&
      bytes.includes('"state":"delivered"'),
  );
  if (isRecorded) return false;
  const isTroubled = owner.troubles.some((at) => at >= arrivedAt - 3_600_000 && at < nextAt);
  const storeFailed = outcome.troubles.some(({ at, what }) => what.startsWith('s3') && at >= arrivedAt && at < nextAt);
  return isTroubled || storeFailed;
}

function checkJson({ s3 }: Outcome, { content }: Owed, { bytes }: Written): string[] {
  const message = inboxMessageSchema.parse(JSON.parse(bytes.toString('utf8')));
  const raw = s3.objects.get(message.raw.key)?.bytes;
  if (raw === undefined) return ['the message as it was received is not there'];
  const broken: string[] = [];
  if (sha256(raw) !== message.raw.sha256 || raw.length !== message.raw.bytes)
    broken.push('the message is not the one of its job');
  if (content !== null && !endsWith(raw, content)) broken.push('the message is not as it was sent');
  for (const { key, sha256: sum } of message.attachments) {
    const attached = s3.objects.get(key)?.bytes;
    if (attached === undefined || sha256(attached) !== sum)
      broken.push(`the attachment ${key} is not there, or another`);
  }
  return broken;
}

function endsWith(bytes: Buffer, end: Buffer): boolean {
  return bytes.length >= end.length && bytes.subarray(bytes.length - end.length).equals(end);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
