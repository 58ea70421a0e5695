// Faults to plant into the service, one at a time: the checker has to find each of them, or it proves nothing. They are put between
// the parts and what they talk to; the source stays as it is.
import type { AwsParts } from '#pipeline/aws/parts.ts';
import type { ObjectStore, PutRequest } from '#pipeline/contract/ports.ts';
import { deliveryRecord } from '#pipeline/contract/records/delivery.ts';

/** What may be planted, and what is then wrong. */
export const plantedFaults = {
  'ack-before-store': 'the client is told 250 while its message is still on its way to S3 and SQS',
  'inbox-unconditional': 'the JSON of an inbox is written without If-None-Match',
  'delete-first': 'jobs are deleted before the function has run',
  'dead-letter-dropped': 'a job that is given up is deleted, and not moved to the dead letters',
  'record-unconditional': 'the record of a delivery is written without If-None-Match and If-Match: no lease holds',
  'record-late': 'the record of a delivery is said to be written a minute before it is',
  'bytes-changed': 'a message is stored with its last line cut off',
  'unwatched-dead-letters': 'the dead letters of a queue have no alarm',
  'put-back-dropped': 'a pack is deleted although those of its jobs that are not done were not put back',
  'job-swallowed': 'one of the jobs that a message is split into is not sent, and that is not told',
} as const;

export type PlantedFault = keyof typeof plantedFaults;

/** Whether a text names one. */
export function isPlantedFault(text: string): text is PlantedFault {
  return text in plantedFaults;
}

/** The parts of one process with the fault in them. */
export function plantFault(fault: PlantedFault | null, parts: AwsParts): AwsParts {
  switch (fault) {
    case 'ack-before-store':
      return { ...parts, intake: { open: (request) => ackingEarly(parts.intake.open(request)) } };
    case 'inbox-unconditional':
      return { ...parts, store: withPut(parts.store, (put) => (isInbox(put) ? unconditional(put) : put)) };
    case 'record-unconditional':
      return { ...parts, store: withPut(parts.store, (put) => (isRecord(put) ? unconditional(put) : put)) };
    case 'dead-letter-dropped':
      return { ...parts, moveToDeadLetters: async () => {} };
    case 'put-back-dropped':
      return { ...parts, putBack: async () => {} };
    case 'record-late':
      return { ...parts, store: { ...parts.store, put: (request) => putLate(parts.store, request) } };
    case 'bytes-changed':
      return { ...parts, intake: { open: (request) => cuttingShort(parts.intake.open(request)) } };
    case 'job-swallowed':
      return { ...parts, jobs: swallowing(parts.jobs) };
    case 'delete-first':
    case 'unwatched-dead-letters':
    case null:
      return parts;
  }
}

type Writer = ReturnType<AwsParts['intake']['open']>;

function ackingEarly(writer: Writer): Writer {
  return {
    ...writer,
    commit: async (job) => {
      writer.commit(job).catch(() => undefined);
    },
  };
}

function cuttingShort(writer: Writer): Writer {
  return {
    ...writer,
    write: (chunk) => writer.write(chunk.length > 500 ? chunk.subarray(0, chunk.length - 2) : chunk),
  };
}

function swallowing(jobs: AwsParts['jobs']): AwsParts['jobs'] {
  return {
    send: async (queue, job, options) => {
      if (queue === 'parse' && job.id.charCodeAt(25) % 5 === 0) return;
      await jobs.send(queue, job, options);
    },
  };
}

function withPut(store: ObjectStore, change: (request: PutRequest) => PutRequest): ObjectStore {
  return { ...store, put: (request) => store.put(change(request)) };
}

function unconditional({ condition: _, ...request }: PutRequest): PutRequest {
  return request;
}

async function putLate(store: ObjectStore, request: PutRequest): ReturnType<ObjectStore['put']> {
  if (
    !isRecord(request) ||
    !(request.body instanceof Uint8Array) ||
    !/"state":"delivered"/.test(Buffer.from(request.body).toString())
  ) {
    return store.put(request);
  }
  setTimeout(() => void store.put(request).catch(() => undefined), 60_000);
  return { outcome: 'stored', etag: '"to be"' };
}

function isInbox({ key }: PutRequest): boolean {
  return key.startsWith('inbox/');
}

function isRecord({ key }: PutRequest): boolean {
  return key.startsWith('deliveries/') && deliveryRecord.key.length > 0;
}
