// The work of the database thread, without the thread: batches in, replies out. All waiting requests share one transaction and one
// fsync. If that fails (a full disk), each request is tried alone, so that only those that fail are refused.
import type { DatabaseSync } from 'node:sqlite';
import { nextLook, takeBackExpired } from '#local/embedded/queue/job-memory.ts';
import {
  ackJobs,
  type Effect,
  giveBackAll,
  insertJob,
  type JobRows,
  nackJob,
  openJobRows,
  redriveJobs,
  releaseDue,
} from '#local/embedded/queue/job-rows.ts';
import { createParkedLeases, type ParkedLeases } from '#local/embedded/queue/parked-leases.ts';
import { type QueueReports, queueReports } from '#local/embedded/queue/queue-counts.ts';
import type { End } from '#local/embedded/queue/suspects.ts';
import { giveBackSpace } from '#local/embedded/store/free-space.ts';
import { type MailRows, mailRows } from '#local/embedded/store/mail-rows.ts';
import { type ObjectRows, objectRows } from '#local/embedded/store/object-rows.ts';
import { type RecentTexts, recentTexts } from '#local/embedded/store/recent-texts.ts';
import { errorMessage } from '#mail/problem.ts';
import { askMail, isOfLists } from './mail-requests.ts';
import {
  type Answer,
  type Batch,
  messageType,
  type NewObject,
  type Reply,
  type ReplyBatch,
  type Request,
} from './requests.ts';

type Numbered = Batch['requests'][number];
type Survival = 'durable' | 'soon';
type Done = { readonly value: Answer; readonly effect?: Effect };

type State = {
  readonly database: DatabaseSync;
  readonly objects: ObjectRows;
  readonly jobs: JobRows;
  readonly mail: MailRows;
  readonly recent: RecentTexts;
  readonly reports: QueueReports;
  readonly removeFile: (file: string) => void;
  /** Files that nothing points to any more once the transaction stands. */
  freed: string[];
  readonly leases: ParkedLeases;
  /** When leases that could not be written down are tried again, or null. */
  retryLeasesAt: number | null;
  isStopping: boolean;
  /** What commits mean at present. */
  survival: Survival;
  operations: number;
  commits: number;
};

export type DatabaseThread = { readonly run: (batch: Batch) => ReplyBatch };

const leaseRetryMs = 1_000;

/**
 * Sets up over an open database; `now` in milliseconds since 1970. `removeFile` is told of bodies that nothing points
 * to any more. `end`: how the process before ended, where it was not in order.
 */
export function createDatabaseThread(
  database: DatabaseSync,
  removeFile: (file: string) => void,
  now: number,
  end: End = 'unknown',
): DatabaseThread {
  const recent = recentTexts();
  const objects = objectRows(database, recent, (file) => state.freed.push(file));
  const jobs = openJobRows(database, now, end);
  const state: State = {
    database,
    objects,
    jobs,
    mail: mailRows(database, objects, recent),
    recent,
    reports: queueReports(database, jobs),
    removeFile,
    freed: [],
    leases: createParkedLeases(jobs),
    retryLeasesAt: null,
    isStopping: false,
    survival: 'durable',
    operations: 0,
    commits: 0,
  };
  return { run: (batch) => runBatch(state, batch) };
}

function runBatch(state: State, { now: at, buffer, requests: asked }: Batch): ReplyBatch {
  releaseDue(state.jobs, at);
  takeBackExpired(state.jobs.memory, at);
  const requests: Numbered[] = [];
  for (const { number, request } of asked) {
    state.operations += 1;
    if (request.kind === 'lease') state.leases.park(number, request);
    else requests.push({ number, request });
    if (request.kind === 'stopLeases') state.isStopping = true;
  }
  const around = { buffer, at };
  const replies = runTogether(state, requests, around) ?? runRequests(state, requests, around);
  return {
    replies: [...replies, ...runLeases(state, at)],
    nextDue: earlier(nextLook(state.jobs.memory, at), state.retryLeasesAt),
  };
}

/**
 * The usual way on a busy machine: the requests, and the leases for which there are jobs already, share a transaction.
 * Null if there is nothing to share or it failed; then nothing was done.
 */
function runTogether(state: State, requests: readonly Numbered[], around: Around): readonly Reply[] | null {
  const round = requests.length === 0 || state.isStopping ? null : state.leases.round();
  if (round === null) return null;
  try {
    const answered = transact(state, survivalOf(requests), () => {
      const done = requests.map(({ request }) => perform(state, request, around));
      round.handOut(around.at);
      return done;
    });
    return [...repliesTo(requests, answered), ...round.settle()];
  } catch {
    round.rollback();
    return null;
  }
}

function runRequests(state: State, requests: readonly Numbered[], around: Around): readonly Reply[] {
  if (requests.length === 0) return [];
  try {
    const done = transact(state, survivalOf(requests), () =>
      requests.map(({ request }) => perform(state, request, around)),
    );
    return repliesTo(requests, done);
  } catch (error) {
    if (requests.length === 1) return requests.map(({ number }) => ({ number, error: errorMessage(error) }));
    return requests.flatMap((request) => runRequests(state, [request], around));
  }
}

function repliesTo(requests: readonly Numbered[], done: readonly Done[]): readonly Reply[] {
  return requests.map(({ number }, n) => ({ number, value: done[n]?.value ?? null }));
}

/** Answers the leases that are waiting, as far as there are jobs; where it cannot be written down, they wait on. */
function runLeases(state: State, at: number): readonly Reply[] {
  state.retryLeasesAt = null;
  if (state.isStopping) return state.leases.dismiss();
  const round = state.leases.round();
  if (round === null) return [];
  try {
    transact(state, 'soon', () => {
      round.handOut(at);
      return [];
    });
    return round.settle();
  } catch {
    round.rollback();
    state.retryLeasesAt = at + leaseRetryMs;
    return [];
  }
}

function survivalOf(requests: readonly Numbered[]): Survival {
  return requests.some(mustSurvive) ? 'durable' : 'soon';
}

/** What is read changes nothing, and what is lost of the index is made again; a hand-out or an answer to one that a power cut takes back means one run more. */
function mustSurvive({ request: { kind } }: Numbered): boolean {
  return kind !== 'ack' && kind !== 'get' && kind !== 'head' && kind !== 'list' && !isOfLists(kind);
}

/**
 * Runs the work in one transaction; what it means for the memory happens once it stands. `durable`: it survives a power
 * cut from then on. `soon`: it survives the end of this process, and a power cut with the next durable one (the
 * log is written in order).
 */
function transact(state: State, survival: Survival, work: () => readonly Done[]): readonly Done[] {
  const { database } = state;
  if (survival !== state.survival) {
    database.exec(`PRAGMA synchronous = ${survival === 'durable' ? 'FULL' : 'NORMAL'}`);
    state.survival = survival;
  }
  let done: readonly Done[] = [];
  state.freed = [];
  database.exec('BEGIN IMMEDIATE');
  try {
    done = work();
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    state.recent.forgetAll();
    throw error;
  }
  state.commits += 1;
  for (const { effect } of done) effect?.commit?.();
  for (const file of state.freed) state.removeFile(file);
  return done;
}

type Around = { readonly buffer: ArrayBuffer; readonly at: number };

function perform(state: State, request: Request, { buffer, at }: Around): Done {
  const { objects, jobs, mail, reports } = state;
  switch (request.kind) {
    case 'accept':
      for (const object of request.objects) putNew(objects, object, { buffer, at });
      return { value: null, effect: insertJob(jobs, request.job, at) };
    case 'acceptRow': {
      const { key, metadata, messageId, group, due, job: body } = request;
      const content = { kind: 'inline', at: request.at, bytes: request.bytes } as const;
      const condition = { ifAbsent: true } as const;
      putNew(objects, { key, contentType: messageType, metadata, content, condition }, { buffer, at });
      return { value: null, effect: insertJob(jobs, { queue: 'received', body, messageId, group, due }, at) };
    }
    case 'put':
      return { value: put(objects, request.object, { buffer, at }) };
    case 'get':
      return { value: objects.get(request.key) };
    case 'head':
      return { value: objects.head(request.key) };
    case 'list':
      return { value: objects.list(request.prefix, request.after, request.limit) };
    case 'delete':
      return { value: objects.delete(request.key, request.ifMatch) };
    case 'send':
      return { value: null, effect: insertJob(jobs, request.job, at) };
    case 'ack':
      return { value: null, effect: ackJobs(jobs, request, at) };
    case 'nack':
      return { value: null, effect: nackJob(jobs, request, at) };
    case 'queues':
      return { value: reports.counts(at) };
    case 'redrive': {
      const { count, effect } = redriveJobs(jobs, request.queue, at);
      return { value: count, effect };
    }
    case 'purge':
      return { value: reports.purge(request.queue) };
    case 'deadLetters':
      return { value: reports.deadLetters(request.queue, request.limit) };
    case 'heldJobs':
      return { value: reports.heldJobs(request.id) };
    case 'underWay':
      return { value: reports.underWay(request.ids) };
    case 'messages':
    case 'summary':
    case 'mailboxes':
    case 'indexText':
    case 'oldest':
    case 'findMessage':
    case 'newestKeys':
    case 'sweep':
      return { value: askMail(mail, request) };
    case 'shrink':
      return { value: giveBackSpace(state.database) };
    case 'statistics':
      return { value: { operations: state.operations, commits: state.commits, mailToIndex: mail.textsToIndex() } };
    case 'close':
      giveBackAll(jobs);
      return { value: null };
    case 'lease':
    case 'stopLeases':
    case 'tick':
      return { value: null };
  }
}

function put(objects: ObjectRows, object: NewObject, { buffer, at }: Around) {
  const { content, shared } = object;
  const bodies = {
    content: content.kind === 'inline' ? new Uint8Array(buffer, content.at, content.bytes) : null,
    shared: shared === undefined || shared.at === null ? null : new Uint8Array(buffer, shared.at, shared.bytes),
  };
  return objects.put(object, bodies, at);
}

function putNew(objects: ObjectRows, object: NewObject, around: Around): void {
  if (put(objects, object, around).outcome !== 'stored') throw new Error(`${object.key} is already taken`);
}

function earlier(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}
