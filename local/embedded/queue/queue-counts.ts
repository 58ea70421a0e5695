// How the queues are doing, from their rows and what is in memory: what operators look at.
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { asNumber, asText } from '#local/embedded/database.ts';
import type { DeadLetter, HeldJob, QueueCounts } from '#ops/admin.ts';
import { notifyJobSchema } from '#pipeline/contract/jobs.ts';
import { type QueueName, queueNames } from '#pipeline/contract/stages.ts';
import { queueName } from './job-memory.ts';
import type { JobRows } from './job-rows.ts';

/** Reasons shown of one queue. */
const maxFaults = 20;

export type QueueReports = {
  readonly counts: (at: number) => readonly QueueCounts[];
  readonly deadLetters: (queue: QueueName, limit: number) => readonly DeadLetter[];
  /** Jobs of a message that wait after a run that did not end well. */
  readonly heldJobs: (id: string) => readonly HeldJob[];
  /** Those of these messages that have a job, ready, delayed or out with a worker. */
  readonly underWay: (ids: readonly string[]) => readonly string[];
  /** Throws dead letters away; answers how many. */
  readonly purge: (queue: QueueName) => number;
};

export function queueReports(database: DatabaseSync, { sql, memory }: JobRows): QueueReports {
  const delayed = database.prepare('SELECT count(*) AS count FROM jobs WHERE due > ? AND queue = ?');
  const dead = database.prepare('SELECT count(*) AS count FROM dead_letters WHERE queue = ?');
  const held = database.prepare(
    `SELECT last_error, count(*) AS count, min(due) AS due FROM jobs WHERE faults > 0 AND queue = ?
     GROUP BY last_error ORDER BY count DESC LIMIT ${maxFaults}`,
  );
  const heldOf = database.prepare(
    `SELECT queue, faults, receives, handed_at, last_error, due, body FROM jobs
     WHERE (last_error IS NOT NULL OR queue = 'notify') AND message_id = ?`,
  );
  const underWay = database.prepare(
    'SELECT DISTINCT message_id FROM jobs WHERE message_id IN (SELECT value FROM json_each(?))',
  );
  return {
    counts: (at) =>
      queueNames.map((name) => {
        const ready = memory.ready(name);
        const oldest = ready.oldestDue();
        return {
          name,
          ready: ready.size(),
          delayed: asNumber(delayed.get(memory.dueUpTo, name)?.['count']),
          inFlight: [...memory.leases.values()].filter(({ queue }) => queue === name).length,
          dead: asNumber(dead.get(name)?.['count']),
          oldestSeconds: oldest === null ? null : Math.max(0, Math.floor((at - oldest) / 1_000)),
          faults: held.all(name).map((row) => ({
            reason: asText(row['last_error']),
            jobs: asNumber(row['count']),
            retryAt: timeText(row['due']),
          })),
        };
      }),
    deadLetters: (queue, limit) =>
      sql.deadOf.all(queue, limit).map((row) => ({
        queue,
        id: asText(row['message_id']),
        body: asText(row['body']),
        reason: asText(row['reason']),
        receiveCount: asNumber(row['receives']),
        diedAt: timeText(row['died_at']),
      })),
    heldJobs: (id) =>
      heldOf.all(id).flatMap((row) => {
        const state = howHeld(row);
        return state === null ? [] : [{ queue: queueName(row['queue']), ...state, retryAt: timeText(row['due']) }];
      }),
    underWay: (ids) => underWay.all(JSON.stringify(ids)).map((row) => asText(row['message_id'])),
    purge: (queue) => Number(sql.purge.run(queue).changes),
  };
}

/** How the last run of a job ended; null if it is a call of a hook that was not made yet. */
function howHeld(row: Readonly<Record<string, SQLOutputValue>>): Omit<HeldJob, 'queue' | 'retryAt'> | null {
  const { faults, receives, last_error: error } = row;
  if (asNumber(faults) > 0) return { waits: 'fault', reason: asText(error), tries: asNumber(faults) };
  if (error === null || error === undefined) return hookFailure(asText(row['body']));
  // The run that is under way counts as received already.
  const isOut = row['handed_at'] !== null;
  return { waits: 'retry', reason: asText(error), tries: asNumber(receives) - (isOut ? 1 : 0) };
}

/** What a hook said the last time; null if it was not called yet. */
function hookFailure(body: string): Omit<HeldJob, 'queue' | 'retryAt'> | null {
  const { hook, attempt, lastReason } = notifyJobSchema.parse(JSON.parse(body));
  if (lastReason === null) return null;
  return { waits: 'hook', reason: `hook ${hook} failed in attempt ${attempt - 1}: ${lastReason}`, tries: attempt - 1 };
}

function timeText(value: SQLOutputValue | undefined): string {
  return new Date(asNumber(value)).toISOString();
}
