// The listener's intake: message and `received` job in one transaction. A message of up to 256 KiB stays in memory and costs one
// request; a larger one streams into a file, so that memory does not grow with it.

import { type BodyFile, createBodyFile, inlineBytes } from '#local/embedded/store/body-files.ts';
import { receivedGroup } from '#pipeline/contract/job-groups.ts';
import type { ReceivedJob } from '#pipeline/contract/jobs.ts';
import type { Intake, IntakeWriter } from '#pipeline/contract/ports.ts';
import { placeEnvelope } from '#pipeline/contract/stored-envelope.ts';
import { type Client, isRefused } from './client.ts';
import { type Content, messageType, type NewJob, type NewObject } from './requests.ts';

/** The intake over the database thread. */
export function createIntake(client: Client, bodiesFolder: string, now: () => number): Intake {
  return {
    open: ({ key, envelope }) => {
      const body = createBody(bodiesFolder);
      return {
        write: body.write,
        commit: async (job) => {
          const file = await body.end();
          const content = file ?? client.attach(body.pieces());
          const { metadata, beside } = envelopeObjects(client, key, envelope);
          try {
            await accept(client, { key, metadata, content, beside, job: newJob(job, now()) });
          } catch (error) {
            // The thread may have been lost after it wrote the row: the file is then the next start's to judge.
            if (!isRefused(error)) body.keep();
            throw error;
          }
          body.keep();
        },
        abort: body.abort,
      } satisfies IntakeWriter;
    },
  };
}

type Accepted = Pick<NewObject, 'key' | 'metadata' | 'content'> & {
  readonly beside: readonly NewObject[];
  readonly job: NewJob;
};

function accept(client: Client, { key, metadata, content, beside, job }: Accepted): Promise<null> {
  if (content.kind === 'inline' && beside.length === 0) {
    const { body, messageId, group, due } = job;
    return client.ask({
      kind: 'acceptRow',
      key,
      metadata,
      at: content.at,
      bytes: content.bytes,
      job: body,
      messageId,
      group,
      due,
    });
  }
  const raw: NewObject = { key, contentType: messageType, metadata, content, condition: { ifAbsent: true } };
  return client.ask({ kind: 'accept', objects: [raw, ...beside], job });
}

/** Collects a body in memory, or in a file once it is too long for a row. */
function createBody(folder: string) {
  let held: Uint8Array[] = [];
  let bytes = 0;
  let file: BodyFile | null = null;
  let spilling: Promise<void> = Promise.resolve();
  let isKept = false;
  const spill = async (): Promise<void> => {
    file ??= await createBodyFile(folder);
    const pieces = held;
    held = [];
    for (const piece of pieces) await file.write(piece);
  };
  /** One after the other, so that the pieces stay in order whether or not the caller waits. */
  const spillNext = (): Promise<void> => {
    spilling = spilling.then(spill);
    return spilling;
  };
  return {
    write: (chunk: Uint8Array): Promise<void> | undefined => {
      held.push(chunk);
      bytes += chunk.length;
      return bytes > inlineBytes ? spillNext() : undefined;
    },
    /** The finished file, or null where the body is in `pieces`. */
    end: async (): Promise<Content | null> => {
      if (bytes <= inlineBytes) return null;
      await spillNext();
      return file === null ? null : file.finish();
    },
    pieces: (): readonly Uint8Array[] => held,
    keep: (): void => {
      isKept = true;
      held = [];
    },
    abort: async (): Promise<void> => {
      held = [];
      await spilling.catch(() => {});
      if (!isKept) await file?.discard();
    },
  };
}

/** The envelope, as the object's metadata and, where it is too long for that, an object beside the message. */
function envelopeObjects(client: Client, key: string, envelope: object) {
  const { metadata, beside } = placeEnvelope(key, envelope);
  if (beside === null) return { metadata: JSON.stringify(metadata), beside: [] };
  const content = client.attach([Buffer.from(beside.text)]);
  const condition = { ifAbsent: true } as const;
  const object = { key: beside.key, contentType: 'application/json', metadata: '{}', content, condition };
  return { metadata: JSON.stringify(metadata), beside: [object] };
}

function newJob(job: ReceivedJob, due: number) {
  return { queue: 'received', body: JSON.stringify(job), messageId: job.id, group: receivedGroup(job), due } as const;
}
