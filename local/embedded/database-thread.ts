// The database thread's work, without the thread: batches in, replies out. All that is waiting goes into one
// transaction and one fsync. When it fails (a full disk), each request is tried alone, so only those that fail are
// refused, and the next batch finds everything as it should be.
import type { DatabaseSync } from 'node:sqlite';
import { type Effect, jobRows } from './job-rows.ts';
import { mailRows } from './mail-rows.ts';
import { objectRows } from './object-rows.ts';
import type { Answer, Batch, NewObject, Reply, ReplyBatch, Request } from './requests.ts';

type Numbered = Batch['requests'][number] & { readonly buffer: ArrayBuffer };
type Parked = { readonly number: number; readonly request: Request<'lease'> };
type Done = { readonly value: Answer; readonly effect?: Effect };

const leaseRetryMs = 1_000;

/** What the thread offers its shell. `removeFile` is told of bodies that nothing points to any more. */
export type DatabaseThread = {
  readonly run: (batches: readonly Batch[]) => ReplyBatch;
  readonly isKnownFile: (file: string) => boolean;
};

/** Sets up over an open database; `now` in milliseconds since 1970. */
export function createDatabaseThread(
  database: DatabaseSync,
  removeFile: (file: string) => void,
  now: number,
): DatabaseThread {
  let freed: string[] = [];
  let operations = 0;
  let commits = 0;
  let isStopping = false;
  let parked: Parked[] = [];
  let retryLeasesAt: number | null = null;
  const objects = objectRows(database, (file) => freed.push(file));
  const jobs = jobRows(database, now);
  const mail = mailRows(database, objects);

  const put = (object: NewObject, buffer: ArrayBuffer, at: number) => {
    const { content } = object;
    return objects.put(
      object,
      content.kind === 'inline' ? new Uint8Array(buffer, content.at, content.bytes) : null,
      at,
    );
  };

  const perform = (request: Exclude<Request, Request<'lease'>>, buffer: ArrayBuffer, at: number): Done => {
    switch (request.kind) {
      case 'accept':
        for (const object of request.objects) {
          if (put(object, buffer, at).outcome === 'conflict') throw new Error(`${object.key} is already taken`);
        }
        return { value: null, effect: jobs.insert(request.job, at) };
      case 'put':
        return { value: put(request.object, buffer, at) };
      case 'get':
        return { value: objects.get(request.key) };
      case 'head':
        return { value: objects.head(request.key) };
      case 'list':
        return { value: objects.list(request.prefix, request.after, request.limit) };
      case 'delete':
        return { value: objects.delete(request.key, request.ifMatch) };
      case 'send':
        return { value: null, effect: jobs.insert(request.job, at) };
      case 'ack':
        return { value: null, effect: jobs.ack(request.handles) };
      case 'nack':
        return { value: null, effect: jobs.nack(request, at) };
      case 'queues':
        return { value: jobs.counts(at) };
      case 'redrive':
        return jobs.redrive(request.queue, at);
      case 'purge':
        return { value: jobs.purge(request.queue) };
      case 'deadLetters':
        return { value: jobs.deadLetters(request.queue, request.limit) };
      case 'messages':
        return { value: mail.search(request) };
      case 'findMessage':
        return { value: mail.find(request.id) };
      case 'newestKeys':
        return { value: mail.newestKeys(request.prefix, request.before, request.limit) };
      case 'sweep':
        return { value: mail.sweep(request) };
      case 'statistics':
        return { value: { operations, commits } };
      case 'stopLeases':
      case 'tick':
      case 'close':
        return { value: null };
    }
  };

  /** Runs the work in one transaction; what it means for the memory happens when it stands, or did not come to pass. */
  const transact = (work: () => readonly Done[]): readonly Done[] => {
    let done: readonly Done[] = [];
    freed = [];
    database.exec('BEGIN IMMEDIATE');
    try {
      done = work();
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
    commits += 1;
    for (const { effect } of done) effect?.commit?.();
    for (const file of freed) removeFile(file);
    return done;
  };

  const runRequests = (requests: readonly Numbered[], at: number): readonly Reply[] => {
    if (requests.length === 0) return [];
    const runOne = ({ request, buffer }: Numbered): Done =>
      request.kind === 'lease' ? { value: [] } : perform(request, buffer, at);
    try {
      const done = transact(() => requests.map(runOne));
      return requests.map(({ number }, n) => ({ number, value: done[n]?.value ?? null }));
    } catch (error) {
      if (requests.length === 1) return requests.map(({ number }) => ({ number, error: messageOf(error) }));
      return requests.flatMap((request) => runRequests([request], at));
    }
  };

  /** Answers the leases that are waiting, as far as there are jobs; where it cannot be written down, they wait on. */
  const runLeases = (at: number): readonly Reply[] => {
    retryLeasesAt = null;
    const able = parked.filter(({ request }) => isStopping || jobs.hasReady(request.queue));
    if (able.length === 0) return [];
    if (isStopping) {
      parked = [];
      return able.map(({ number }) => ({ number, value: [] }));
    }
    const leased: { readonly number: number; readonly result: ReturnType<typeof jobs.lease> }[] = [];
    try {
      transact(() => {
        for (const { number, request } of able) leased.push({ number, result: jobs.lease(request, at) });
        return [];
      });
    } catch {
      for (const { result } of leased.reverse()) result.effect.rollback?.();
      retryLeasesAt = at + leaseRetryMs;
      return [];
    }
    const answered = leased.filter(({ result }) => result.value.length > 0);
    const numbers = new Set(answered.map(({ number }) => number));
    parked = parked.filter(({ number }) => !numbers.has(number));
    return answered.map(({ number, result }) => ({ number, value: result.value }));
  };

  return {
    run: (batches) => {
      const at = batches.at(-1)?.now ?? now;
      jobs.release(at);
      jobs.takeBack(at);
      const requests: Numbered[] = [];
      for (const batch of batches) {
        for (const { number, request } of batch.requests) {
          operations += 1;
          if (request.kind === 'lease') parked.push({ number, request });
          else requests.push({ number, request, buffer: batch.buffer });
          if (request.kind === 'stopLeases') isStopping = true;
        }
      }
      const replies = [...runRequests(requests, at), ...runLeases(at)];
      return { replies, nextDue: earlier(jobs.nextLook(), retryLeasesAt) };
    },
    isKnownFile: objects.isKnownFile,
  };
}

function earlier(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
