// The queues as rows. Functions that change rows run inside a batch's transaction and answer with what that means for
// the memory once it stands (`commit`) or did not come to pass (`rollback`).
import type { DatabaseSync } from 'node:sqlite';
import { type QueueName, queueNames } from '#pipeline/jobs.ts';
import { asNumber, asText } from './database.ts';
import { createJobMemory, enlist, type JobMemory, takeReady } from './job-memory.ts';
import type { ReadyJob } from './ready-jobs.ts';
import type { LeasedJob, LeaseTerms, NewJob, Request } from './requests.ts';

/** What a change of rows means for the memory, by how the transaction ends. */
export type Effect = { readonly commit?: () => void; readonly rollback?: () => void };

/** The rows with the memory that belongs to them. `nextSeq`: the number of the next new row. */
export type JobRows = { readonly sql: JobStatements; readonly memory: JobMemory; nextSeq: number };

type JobStatements = ReturnType<typeof statements>;

const maxReasonLength = 2_000;

/** Reads what is due into memory. At the start nothing is out: the leases of a process that died died with it. */
export function openJobRows(database: DatabaseSync, now: number): JobRows {
  const sql = statements(database);
  const rows = { sql, memory: createJobMemory(), nextSeq: asNumber(sql.lastSeq.get()?.['seq']) + 1 };
  rows.memory.nextDue = Number.MIN_SAFE_INTEGER;
  releaseDue(rows, now);
  return rows;
}

/** Makes ready all that has become due since the last look. */
export function releaseDue({ sql, memory }: JobRows, at: number): void {
  if (at <= memory.dueUpTo) return;
  if (memory.nextDue !== null && memory.nextDue <= at) {
    for (const row of sql.becameDue.all(memory.dueUpTo, at)) {
      const job = { seq: asNumber(row['seq']), due: asNumber(row['due']), group: asText(row['fair_group']) };
      memory.ready[queueName(row['queue'])].add(job);
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
  const taken = takeReady(memory, terms);
  const rollback = (): void => {
    for (const job of [...taken].reverse()) {
      memory.leases.delete(job.seq);
      memory.ready[terms.queue].putBack(job);
    }
  };
  try {
    return { leased: taken.flatMap((job) => handOut(rows, job, { terms, at })), rollback };
  } catch (error) {
    rollback();
    throw error;
  }
}

/** The jobs are done; their rows go. */
export function ackJobs({ sql, memory }: JobRows, handles: readonly number[]): Effect {
  for (const seq of handles) sql.remove.run(seq);
  return {
    commit: () => {
      for (const seq of handles) memory.leases.delete(seq);
    },
  };
}

/** Without `retryAt` the job becomes a dead letter. An answer to an older hand-out changes nothing. */
export function nackJob(rows: JobRows, answer: Omit<Request<'nack'>, 'kind'>, at: number): Effect {
  const { sql, memory } = rows;
  const held = memory.leases.get(answer.handle);
  if (held === undefined || held.receiveCount !== answer.receiveCount) return {};
  const { seq, group, queue } = held;
  const due = answer.retryAt;
  if (due === null) bury(sql, seq, { reason: answer.reason, at });
  else sql.putBack.run(due, answer.reason.slice(0, maxReasonLength), seq);
  return {
    commit: () => {
      memory.leases.delete(seq);
      if (due !== null) enlist(memory, queue, { seq, due, group });
    },
  };
}

/** Dead letters become new jobs; answers how many. */
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
  const commit = (): void => {
    for (const effect of effects) effect.commit?.();
  };
  return { count: effects.length, effect: { commit } };
}

function handOut(
  { sql, memory }: JobRows,
  job: ReadyJob,
  { terms: { queue, maxReceives, leaseMs }, at }: { readonly terms: LeaseTerms; readonly at: number },
): readonly LeasedJob[] {
  const row = sql.read.get(job.seq);
  if (row === undefined) return [];
  const receiveCount = asNumber(row['receives']) + 1;
  if (receiveCount > maxReceives) {
    const lastError = row['last_error'];
    bury(sql, job.seq, { reason: typeof lastError === 'string' ? lastError : noAnswer(maxReceives), at });
    return [];
  }
  sql.handOut.run(receiveCount, job.seq);
  memory.leases.set(job.seq, { ...job, queue, expires: at + leaseMs, receiveCount });
  return [{ handle: job.seq, messageId: asText(row['message_id']), body: asText(row['body']), receiveCount }];
}

function bury(sql: JobStatements, seq: number, { reason, at }: { readonly reason: string; readonly at: number }): void {
  sql.bury.run(reason.slice(0, maxReasonLength), at, seq);
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
    read: database.prepare('SELECT message_id, receives, last_error, body FROM jobs WHERE seq = ?'),
    handOut: database.prepare('UPDATE jobs SET receives = ? WHERE seq = ?'),
    putBack: database.prepare('UPDATE jobs SET due = ?, last_error = ? WHERE seq = ?'),
    remove: database.prepare('DELETE FROM jobs WHERE seq = ?'),
    bury: database.prepare(
      `INSERT INTO dead_letters (seq, queue, fair_group, message_id, receives, reason, died_at, body)
       SELECT seq, queue, fair_group, message_id, receives, ?, ?, body FROM jobs WHERE seq = ?`,
    ),
    deadOf: database.prepare('SELECT * FROM dead_letters WHERE queue = ? ORDER BY seq DESC LIMIT ?'),
    purge: database.prepare('DELETE FROM dead_letters WHERE queue = ?'),
  };
}

function queueName(value: unknown): QueueName {
  for (const name of queueNames) if (name === value) return name;
  throw new Error(`unknown queue in the database: ${String(value)}`);
}

function noAnswer(maxReceives: number): string {
  return `handed out ${maxReceives} times without an answer: the process ended or the run took too long`;
}
