// The queues as rows. Functions that change rows run inside a batch's transaction and answer with what that means for
// the memory after it is committed (`commit`) or rolled back (`rollback`).
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { asNumber, asText } from '#local/embedded/database.ts';
import type { NewJob, Request } from '#local/embedded/requests.ts';
import type { LeasedJob, LeaseTerms } from '#local/run/job-source.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';
import { createJobMemory, enlist, type JobMemory, queueName, takeReady } from './job-memory.ts';
import type { ReadyJob } from './ready-jobs.ts';
import { type End, guiltLimit, judgeEnd } from './suspects.ts';

/** What a change of rows means for the memory, by how the transaction ends. */
export type Effect = { readonly commit?: () => void; readonly rollback?: () => void };

/** The rows with the memory that belongs to them. `nextSeq`: the number of the next new row. */
export type JobRows = { readonly sql: JobStatements; readonly memory: JobMemory; nextSeq: number };

type JobStatements = ReturnType<typeof statements>;

const maxReasonLength = 2_000;

/** Reads the due jobs into memory. At the start no job is leased: leases end with their process. */
export function openJobRows(database: DatabaseSync, now: number, end: End = 'unknown'): JobRows {
  const sql = statements(database);
  const rows = { sql, memory: createJobMemory(), nextSeq: asNumber(sql.lastSeq.get()?.['seq']) + 1 };
  takeBackAfterEnd(database, sql, { now, end });
  rows.memory.nextDue = Number.MIN_SAFE_INTEGER;
  releaseDue(rows, now);
  return rows;
}

/** The jobs that were running when the process ended: those hand-outs do not count, but the jobs are suspects (suspects.ts). */
function takeBackAfterEnd(
  database: DatabaseSync,
  sql: JobStatements,
  { now, end }: { readonly now: number; readonly end: End },
): void {
  const inHand = sql.inHand.all(now).map((row) => ({
    seq: asNumber(row['seq']),
    due: asNumber(row['due']),
    handedAt: asNumber(row['handed_at']),
    guilt: asNumber(row['guilt']),
  }));
  if (inHand.length === 0) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    for (const { seq, guilt, due } of judgeEnd(inHand, end, now)) sql.takeBack.run(guilt, due, seq);
    database.exec('COMMIT');
  } catch {
    // The disk is full: they are handed out as they are, and what is held against them waits for the next start.
    if (database.isTransaction) database.exec('ROLLBACK');
  }
}

/** An orderly end: leased jobs are given back, and count for nothing. */
export function giveBackAll({ sql, memory }: JobRows): void {
  for (const seq of memory.leases.keys()) sql.giveBack.run(seq);
}

/** Makes ready all that has become due since the last look. */
export function releaseDue({ sql, memory }: JobRows, at: number): void {
  if (at <= memory.dueUpTo) return;
  if (memory.nextDue !== null && memory.nextDue <= at) {
    for (const row of sql.becameDue.all(memory.dueUpTo, at)) {
      const job = { seq: asNumber(row['seq']), due: asNumber(row['due']), group: asText(row['fair_group']) };
      memory.ready(queueName(row['queue'])).add(job);
    }
    const next = sql.nextDue.get(at)?.['due'];
    memory.nextDue = typeof next === 'number' ? next : null;
  }
  memory.dueUpTo = at;
}

/** A new job. */
export function insertJob(rows: JobRows, { queue, body, messageId, group, due }: NewJob, at: number): Effect {
  const seq = rows.nextSeq++;
  rows.sql.insert.run(seq, queue, due, group, messageId, at, body);
  return { commit: () => enlist(rows.memory, queue, { seq, due, group }) };
}

/** Hands out what is ready, as far as the terms allow. Where it throws, the memory is as it was. */
export function leaseJobs(
  rows: JobRows,
  terms: LeaseTerms,
  at: number,
): { readonly leased: readonly LeasedJob[]; readonly rollback: () => void } {
  const { memory } = rows;
  const taken = takeReady(memory, terms, at);
  const rollback = (): void => {
    for (const job of [...taken].reverse()) {
      memory.leases.delete(job.seq);
      memory.ready(terms.queue).putBack(job);
    }
  };
  try {
    return { leased: taken.flatMap((job) => handOut(rows, job, { terms, at })), rollback };
  } catch (error) {
    rollback();
    throw error;
  }
}

/** The jobs are done; their rows go. What waited for the same fault of ours as a job that found it mended is due now. */
export function ackJobs(
  rows: JobRows,
  { handles, isMended = false }: Omit<Request<'ack'>, 'kind'>,
  at: number,
): Effect {
  const { sql, memory } = rows;
  const mended = isMended ? handles.filter((seq) => (memory.leases.get(seq)?.faults ?? 0) > 0) : [];
  const due = soonest(memory, at);
  for (const seq of mended) sql.releaseOthers.run(due, due, seq);
  for (const seq of handles) sql.remove.run(seq);
  return {
    commit: () => {
      for (const seq of handles) memory.leases.delete(seq);
      if (mended.length > 0) memory.nextDue = Math.min(memory.nextDue ?? due, due);
    },
  };
}

/** The earliest time that is still looked for: what is due up to `dueUpTo` is in memory already, should the clock have gone back. */
function soonest({ dueUpTo }: JobMemory, at: number): number {
  return Math.max(at, dueUpTo) + 1;
}

/** Without `retryAt` the job becomes a dead letter. An answer to an older hand-out changes nothing. */
export function nackJob(rows: JobRows, answer: Omit<Request<'nack'>, 'kind'>, at: number): Effect {
  const { sql, memory } = rows;
  const held = memory.leases.get(answer.handle);
  if (held === undefined || held.receiveCount !== answer.receiveCount) return {};
  const { seq, group, queue, receiveCount, faults, isSpent } = held;
  const due = answer.retryAt;
  const reason = answer.reason.slice(0, maxReasonLength);
  const told = due === null ? answer.tell.map((job) => insertJob(rows, job, at)) : [];
  if (due === null) moveToDeadLetters(sql, seq, { reason, at, receives: isSpent ? receiveCount - 1 : receiveCount });
  else if (answer.isOurFault) sql.putBack.run(due, reason, receiveCount - 1, faults + 1, seq);
  else sql.putBack.run(due, reason, receiveCount, 0, seq);
  return {
    commit: () => {
      memory.leases.delete(seq);
      if (due !== null) enlist(memory, queue, { seq, due, group });
      for (const effect of told) effect.commit?.();
    },
  };
}

/** Dead letters become new jobs, and what waits for a fault of ours is due now; answers how many. */
export function redriveJobs(
  rows: JobRows,
  queue: QueueName,
  at: number,
): { readonly count: number; readonly effect: Effect } {
  const effects = rows.sql.deadOf.all(queue, -1).map((row) => {
    const [messageId, group, body] = [asText(row['message_id']), asText(row['fair_group']), asText(row['body'])];
    return insertJob(rows, { queue, body, messageId, group, due: at }, at);
  });
  rows.sql.purge.run(queue);
  const due = soonest(rows.memory, at);
  const released = Number(rows.sql.releaseHeld.run(due, queue, due).changes);
  const commit = (): void => {
    for (const effect of effects) effect.commit?.();
    if (released > 0) rows.memory.nextDue = Math.min(rows.memory.nextDue ?? due, due);
  };
  return { count: effects.length + released, effect: { commit } };
}

function handOut(
  { sql, memory }: JobRows,
  job: ReadyJob,
  {
    terms: { queue, maxReceives, leaseSeconds, countsForMs = leaseSeconds * 1_000 },
    at,
  }: { readonly terms: LeaseTerms; readonly at: number },
): readonly LeasedJob[] {
  const row = sql.read.get(job.seq);
  if (row === undefined) return [];
  const receiveCount = asNumber(row['receives']) + 1;
  const faults = asNumber(row['faults']);
  const spent = whySpent(row, maxReceives);
  sql.handOut.run(receiveCount, at, job.seq);
  const times = { expires: at + leaseSeconds * 1_000, countsUntil: at + countsForMs };
  memory.leases.set(job.seq, { ...job, ...times, queue, receiveCount, faults, isSpent: spent !== null });
  const [messageId, body] = [asText(row['message_id']), asText(row['body'])];
  return [{ handle: job.seq, messageId, body, receiveCount, faults, spent }];
}

/** Why a job is only handed out to be given up; null where it may be run. */
function whySpent(row: Readonly<Record<string, SQLOutputValue>>, maxReceives: number): string | null {
  if (asNumber(row['guilt']) >= guiltLimit) return 'the service ended again and again while it was at this job';
  if (asNumber(row['receives']) < maxReceives) return null;
  const lastError = row['last_error'];
  return typeof lastError === 'string' ? lastError : noAnswer(maxReceives);
}

function moveToDeadLetters(
  sql: JobStatements,
  seq: number,
  { reason, at, receives }: { readonly reason: string; readonly at: number; readonly receives: number },
): void {
  sql.die.run(receives, reason, at, seq);
  sql.remove.run(seq);
}

function statements(database: DatabaseSync) {
  return {
    lastSeq: database.prepare(
      'SELECT max((SELECT coalesce(max(seq), 0) FROM jobs), (SELECT coalesce(max(seq), 0) FROM dead_letters)) AS seq',
    ),
    insert: database.prepare(
      `INSERT INTO jobs (seq, queue, due, fair_group, message_id, sent_at, receives, last_error, body)
       VALUES (?, ?, ?, ?, ?, ?, 0, NULL, ?)`,
    ),
    becameDue: database.prepare('SELECT seq, queue, due, fair_group FROM jobs WHERE due > ? AND due <= ? ORDER BY due'),
    nextDue: database.prepare('SELECT min(due) AS due FROM jobs WHERE due > ?'),
    read: database.prepare('SELECT message_id, receives, faults, guilt, last_error, body FROM jobs WHERE seq = ?'),
    handOut: database.prepare('UPDATE jobs SET receives = ?, handed_at = ? WHERE seq = ?'),
    putBack: database.prepare(
      'UPDATE jobs SET due = ?, last_error = ?, receives = ?, faults = ?, guilt = 0, handed_at = NULL WHERE seq = ?',
    ),
    // A job that is running was due before.
    inHand: database.prepare('SELECT seq, due, handed_at, guilt FROM jobs WHERE due <= ? AND handed_at IS NOT NULL'),
    takeBack: database.prepare(
      'UPDATE jobs SET receives = receives - 1, guilt = ?, due = ?, handed_at = NULL WHERE seq = ?',
    ),
    giveBack: database.prepare('UPDATE jobs SET receives = receives - 1, handed_at = NULL WHERE seq = ?'),
    releaseOthers: database.prepare(
      `UPDATE jobs SET due = ? WHERE faults > 0 AND due > ?
       AND last_error = (SELECT last_error FROM jobs WHERE seq = ?)`,
    ),
    releaseHeld: database.prepare('UPDATE jobs SET due = ? WHERE faults > 0 AND queue = ? AND due > ?'),
    remove: database.prepare('DELETE FROM jobs WHERE seq = ?'),
    die: database.prepare(
      `INSERT INTO dead_letters (seq, queue, fair_group, message_id, receives, reason, died_at, body)
       SELECT seq, queue, fair_group, message_id, ?, ?, ?, body FROM jobs WHERE seq = ?`,
    ),
    deadOf: database.prepare('SELECT * FROM dead_letters WHERE queue = ? ORDER BY seq DESC LIMIT ?'),
    purge: database.prepare('DELETE FROM dead_letters WHERE queue = ?'),
  };
}

function noAnswer(maxReceives: number): string {
  return `handed out ${maxReceives} times without an answer: the process ended or the run took too long`;
}
