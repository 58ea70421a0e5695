// The queues as rows, and in memory what is handed out or could be. Functions that change rows run inside a batch's
// transaction and answer with what to do in memory once it stands (`commit`) or did not come to pass (`rollback`).
import type { DatabaseSync } from 'node:sqlite';
import type { DeadLetter, QueueCounts } from '#local/admin.ts';
import type { QueueName } from '#pipeline/jobs.ts';
import { asNumber, asText } from './database.ts';
import { createReadyJobs, type ReadyJob } from './ready-jobs.ts';
import type { LeasedJob, LeaseTerms, NewJob } from './requests.ts';

/** What a change of rows means for the memory, by how the transaction ends. */
export type Effect = { readonly commit?: () => void; readonly rollback?: () => void };
type Changed<T> = { readonly value: T; readonly effect: Effect };

type Lease = ReadyJob & { readonly queue: QueueName; readonly expires: number; readonly receiveCount: number };

export type JobRows = ReturnType<typeof jobRows>;

const queueNames: readonly QueueName[] = ['received', 'parse', 'deliver'];
const maxReasonLength = 2_000;

/** Reads what is due into memory. At the start nothing is handed out: the leases of a process that died died with it. */
export function jobRows(database: DatabaseSync, now: number) {
  const sql = statements(database);
  const ready = { received: createReadyJobs(), parse: createReadyJobs(), deliver: createReadyJobs() };
  const leases = new Map<number, Lease>();
  let nextSeq = asNumber(sql.lastSeq.get()?.['seq']) + 1;
  let dueUpTo = Number.MIN_SAFE_INTEGER;
  let nextDue: number | null = null;

  /** A job whose time has come is ready; of one whose time is ahead only the earliest time is remembered. */
  const enlist = (queue: QueueName, job: ReadyJob): void => {
    if (job.due <= dueUpTo) ready[queue].add(job);
    else if (nextDue === null || job.due < nextDue) nextDue = job.due;
  };

  const insert = ({ queue, body, messageId, group, due }: NewJob, at: number): Effect => {
    const seq = nextSeq++;
    sql.insert.run(seq, queue, due, group, messageId, at, body);
    return { commit: () => enlist(queue, { seq, due, group }) };
  };

  /** Makes ready all that has become due since the last look. */
  const release = (at: number): void => {
    if (at > dueUpTo && (dueUpTo === Number.MIN_SAFE_INTEGER || (nextDue !== null && nextDue <= at))) {
      for (const row of sql.becameDue.all(dueUpTo, at)) {
        const job = { seq: asNumber(row['seq']), due: asNumber(row['due']), group: asText(row['fair_group']) };
        ready[queueName(row['queue'])].add(job);
      }
      const next = sql.nextDue.get(at)?.['due'];
      nextDue = typeof next === 'number' ? next : null;
    }
    dueUpTo = Math.max(dueUpTo, at);
  };
  release(now);

  const inFlightOf = (queue: QueueName, group: string): number => {
    let count = 0;
    for (const lease of leases.values()) if (lease.queue === queue && lease.group === group) count += 1;
    return count;
  };

  const bury = (seq: number, reason: string, at: number): void => {
    sql.bury.run(reason.slice(0, maxReasonLength), at, seq);
    sql.remove.run(seq);
  };

  const handOut = (job: ReadyJob, { queue, maxReceives, leaseMs }: LeaseTerms, at: number): readonly LeasedJob[] => {
    const row = sql.read.get(job.seq);
    if (row === undefined) return [];
    const receiveCount = asNumber(row['receives']) + 1;
    if (receiveCount > maxReceives) {
      bury(job.seq, typeof row['last_error'] === 'string' ? row['last_error'] : noAnswer(maxReceives), at);
      return [];
    }
    sql.handOut.run(receiveCount, job.seq);
    leases.set(job.seq, { ...job, queue, expires: at + leaseMs, receiveCount });
    return [{ handle: job.seq, messageId: asText(row['message_id']), body: asText(row['body']), receiveCount }];
  };

  const lease = (terms: LeaseTerms, at: number): Changed<readonly LeasedJob[]> => {
    const { queue, max, maxPerGroup } = terms;
    const inHand = new Map<string, number>();
    const taken = ready[queue].take(max, (group) => {
      const count = inHand.get(group) ?? inFlightOf(queue, group);
      inHand.set(group, count + 1);
      return count < maxPerGroup;
    });
    const rollback = (): void => {
      for (const job of [...taken].reverse()) {
        leases.delete(job.seq);
        ready[queue].putBack(job);
      }
    };
    try {
      return { value: taken.flatMap((job) => handOut(job, terms, at)), effect: { rollback } };
    } catch (error) {
      rollback();
      throw error;
    }
  };

  const ack = (handles: readonly number[]): Effect => {
    for (const seq of handles) sql.remove.run(seq);
    return {
      commit: () => {
        for (const seq of handles) leases.delete(seq);
      },
    };
  };

  /** Without `retryAt` the job becomes a dead letter. An answer to an older hand-out changes nothing. */
  const nack = (
    answer: {
      readonly handle: number;
      readonly receiveCount: number;
      readonly retryAt: number | null;
      readonly reason: string;
    },
    at: number,
  ): Effect => {
    const held = leases.get(answer.handle);
    if (held === undefined || held.receiveCount !== answer.receiveCount) return {};
    const { seq, group, queue } = held;
    const due = answer.retryAt;
    if (due === null) bury(seq, answer.reason, at);
    else sql.putBack.run(due, answer.reason.slice(0, maxReasonLength), seq);
    return {
      commit: () => {
        leases.delete(seq);
        if (due !== null) enlist(queue, { seq, due, group });
      },
    };
  };

  /** Hands jobs out again that nobody answered for in time. */
  const takeBack = (at: number): void => {
    for (const [seq, held] of leases) {
      if (held.expires > at) continue;
      leases.delete(seq);
      ready[held.queue].add({ seq, due: held.due, group: held.group });
    }
  };

  const redrive = (queue: QueueName, at: number): Changed<number> => {
    const rows = sql.deadOf.all(queue, -1);
    const effects = rows.map((row) => {
      const [messageId, group, body] = [asText(row['message_id']), asText(row['fair_group']), asText(row['body'])];
      return insert({ queue, body, messageId, group, due: at }, at);
    });
    sql.purge.run(queue);
    const commit = (): void => {
      for (const effect of effects) effect.commit?.();
    };
    return { value: rows.length, effect: { commit } };
  };

  const counts = (at: number): readonly QueueCounts[] =>
    queueNames.map((name) => {
      const inFlight = [...leases.values()].filter(({ queue }) => queue === name).length;
      const oldest = ready[name].oldestDue();
      return {
        name,
        ready: ready[name].size(),
        delayed: asNumber(sql.countDelayed.get(dueUpTo, name)?.['count']),
        inFlight,
        dead: asNumber(sql.countDead.get(name)?.['count']),
        oldestSeconds: oldest === null ? null : Math.max(0, Math.floor((at - oldest) / 1_000)),
      };
    });

  return {
    insert,
    release,
    takeBack,
    lease,
    ack,
    nack,
    redrive,
    counts,
    hasReady: (queue: QueueName): boolean => ready[queue].size() > 0,
    purge: (queue: QueueName): number => Number(sql.purge.run(queue).changes),
    deadLetters: (queue: QueueName, limit: number): readonly DeadLetter[] =>
      sql.deadOf.all(queue, limit).map((row) => ({
        queue,
        id: asText(row['message_id']),
        body: asText(row['body']),
        reason: asText(row['reason']),
        receiveCount: asNumber(row['receives']),
        diedAt: new Date(asNumber(row['died_at'])).toISOString(),
      })),
    /** When to look again: the next due time or the next lease that runs out; null where there is neither. */
    nextLook: (): number | null => {
      let next = nextDue;
      for (const { expires } of leases.values()) if (next === null || expires < next) next = expires;
      return next;
    },
  };
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
    countDelayed: database.prepare('SELECT count(*) AS count FROM jobs WHERE due > ? AND queue = ?'),
    countDead: database.prepare('SELECT count(*) AS count FROM dead_letters WHERE queue = ?'),
  };
}

function queueName(value: unknown): QueueName {
  const name = queueNames.find((known) => known === value);
  if (name === undefined) throw new Error(`unknown queue in the database: ${String(value)}`);
  return name;
}

function noAnswer(maxReceives: number): string {
  return `handed out ${maxReceives} times without an answer: the process ended or the run took too long`;
}
