// After a restore, what may have been sent since the backup was taken is not sent again by itself: those jobs become dead
// letters that say so. `redrive` sends them, `purge` forgets them. Mail to mailboxes here goes on: its keys are fixed.
import type { DatabaseSync } from 'node:sqlite';
import { asNumber, asText } from '#local/embedded/database.ts';
import { type ReceivedJob, receivedJobSchema } from '#pipeline/contract/jobs.ts';
import { lanesOf, stages } from '#pipeline/contract/stages.ts';

/** Holds them, in one transaction; answers how many dead letters that made. */
export function holdJobs(
  database: DatabaseSync,
  { takenAt, nowMs }: { readonly takenAt: string; readonly nowMs: number },
): number {
  const reason = `held by a restore: it may have been sent after the backup was taken (${takenAt})`;
  database.exec('BEGIN IMMEDIATE');
  const delivers = database.prepare('SELECT seq FROM jobs WHERE queue = ?').all(stages.deliver.consumes);
  for (const { seq } of delivers) moveToDead(database, asNumber(seq), { reason, nowMs });
  const lanes = lanesOf(stages.authenticate).map(({ consumes }) => consumes);
  const readLane = database.prepare('SELECT seq, body FROM jobs WHERE queue = ?');
  const received = lanes.flatMap((queue) => readLane.all(queue));
  const held = received.filter(({ seq, body }) =>
    holdReceived(database, { seq: asNumber(seq), body: asText(body) }, { reason, nowMs }),
  );
  database.exec('COMMIT');
  return delivers.length + held.length;
}

type Why = { readonly reason: string; readonly nowMs: number };

/** A message that has not been judged yet may have gone on to other servers since: that part of it is held. */
function holdReceived(
  database: DatabaseSync,
  { seq, body }: { readonly seq: number; readonly body: string },
  why: Why,
): boolean {
  const job = receivedJobSchema.safeParse(JSON.parse(body)).data;
  if (job === undefined) return false; // The stage will say what is wrong with it.
  const { envelope } = job;
  const here = envelope.recipients.filter(({ route }) => route.kind === 'mailbox');
  const elsewhere = envelope.recipients.filter(({ route }) => route.kind !== 'mailbox');
  if (elsewhere.length === 0) return false;
  if (here.length > 0) {
    const part = copyJob(database, seq, { ...job, envelope: { ...envelope, recipients: elsewhere } });
    moveToDead(database, part, why);
    const rest = JSON.stringify({ ...job, envelope: { ...envelope, recipients: here } });
    database.prepare('UPDATE jobs SET body = ? WHERE seq = ?').run(rest, seq);
  } else moveToDead(database, seq, why);
  return true;
}

/** The number of a new job like the one it is made from. */
function copyJob(database: DatabaseSync, seq: number, job: ReceivedJob): number {
  const last = 'SELECT max((SELECT max(seq) FROM jobs), (SELECT coalesce(max(seq), 0) FROM dead_letters)) + 1 AS seq';
  const next = asNumber(database.prepare(last).get()?.['seq']);
  database
    .prepare(
      `INSERT INTO jobs (seq, queue, due, fair_group, message_id, sent_at, receives, last_error, body)
       SELECT ?, queue, due, fair_group, message_id, sent_at, receives, last_error, ? FROM jobs WHERE seq = ?`,
    )
    .run(next, JSON.stringify(job), seq);
  return next;
}

function moveToDead(database: DatabaseSync, seq: number, { reason, nowMs }: Why): void {
  database
    .prepare(
      `INSERT INTO dead_letters (seq, queue, fair_group, message_id, receives, reason, died_at, body)
       SELECT seq, queue, fair_group, message_id, receives, ?, ?, body FROM jobs WHERE seq = ?`,
    )
    .run(reason, nowMs, seq);
  database.prepare('DELETE FROM jobs WHERE seq = ?').run(seq);
}
