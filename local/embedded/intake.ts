// The front door's way in: message and `received` job in one transaction. Up to 256 KiB a message stays in memory and
// costs one request; above, it streams into a file, and memory does not grow with it.

import { type BodyFile, createBodyFile, inlineBytes } from '#local/embedded/store/body-files.ts';
import type { ReceivedJob } from '#pipeline/contract/jobs.ts';
import { envelopeKey } from '#pipeline/contract/keys.ts';
import type { Intake, IntakeWriter } from '#pipeline/contract/ports.ts';
import { receivedGroup } from '#pipeline/contract/received-group.ts';
import { type Client, isRefused } from './client.ts';
import { type Content, messageType, type NewJob, type NewObject } from './requests.ts';

/** What of the 2 KB of metadata an envelope may take (S3 has that limit; both worlds do the same). */
const maxEnvelopeBytes = 1_900;

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
          const { metadata, beside } = placeEnvelope(client, key, envelope);
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

/** The envelope goes into the object's metadata, or as an object beside the message where it is too long for that. */
function placeEnvelope(client: Client, key: string, envelope: Readonly<Record<string, unknown>>) {
  const text = asciiJson(envelope);
  if (text.length <= maxEnvelopeBytes) return { metadata: JSON.stringify({ envelope: text }), beside: [] };
  const metadata = JSON.stringify({ 'envelope-key': envelopeKey(key) });
  const content = client.attach([Buffer.from(text)]);
  const condition = { ifAbsent: true } as const;
  const object = { key: envelopeKey(key), contentType: 'application/json', metadata: '{}', content, condition };
  return { metadata, beside: [object] };
}

function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007F-\uFFFF]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function newJob(job: ReceivedJob, due: number) {
  return { queue: 'received', body: JSON.stringify(job), messageId: job.id, group: receivedGroup(job), due } as const;
}
