// How the queues are doing, from their rows and what is in memory: what operators look at.
import type { DatabaseSync } from 'node:sqlite';
import { type QueueName, queueNames } from '#pipeline/jobs.ts';
import type { DeadLetter, QueueCounts } from '#pipeline/ops/admin.ts';
import { asNumber, asText } from './database.ts';
import type { JobMemory } from './job-memory.ts';

export type QueueReports = {
  readonly counts: (memory: JobMemory, at: number) => readonly QueueCounts[];
  readonly deadLetters: (queue: QueueName, limit: number) => readonly DeadLetter[];
  /** Throws dead letters away; answers how many. */
  readonly purge: (queue: QueueName) => number;
};

/** Over the same database as the job rows. */
export function queueReports(database: DatabaseSync): QueueReports {
  const delayed = database.prepare('SELECT count(*) AS count FROM jobs WHERE due > ? AND queue = ?');
  const dead = database.prepare('SELECT count(*) AS count FROM dead_letters WHERE queue = ?');
  const latestDead = database.prepare('SELECT * FROM dead_letters WHERE queue = ? ORDER BY seq DESC LIMIT ?');
  const purge = database.prepare('DELETE FROM dead_letters WHERE queue = ?');
  return {
    counts: ({ ready, leases, dueUpTo }, at) =>
      queueNames.map((name) => {
        const oldest = ready[name].oldestDue();
        return {
          name,
          ready: ready[name].size(),
          delayed: asNumber(delayed.get(dueUpTo, name)?.['count']),
          inFlight: [...leases.values()].filter(({ queue }) => queue === name).length,
          dead: asNumber(dead.get(name)?.['count']),
          oldestSeconds: oldest === null ? null : Math.max(0, Math.floor((at - oldest) / 1_000)),
        };
      }),
    deadLetters: (queue, limit) =>
      latestDead.all(queue, limit).map((row) => ({
        queue,
        id: asText(row['message_id']),
        body: asText(row['body']),
        reason: asText(row['reason']),
        receiveCount: asNumber(row['receives']),
        diedAt: new Date(asNumber(row['died_at'])).toISOString(),
      })),
    purge: (queue) => Number(purge.run(queue).changes),
  };
}
