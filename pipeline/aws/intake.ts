// The listener's way into S3 and queue `received`: the message is durable first, then the job. Whatever fails throws, and
// the client gets a 451. A stored message whose job was not sent stays until the bucket's lifecycle rules delete it: the job
// may have arrived although its answer was lost.

import { receivedGroup } from '#pipeline/contract/job-groups.ts';
import type { Clock, Intake, JobSender } from '#pipeline/contract/ports.ts';
import { placeEnvelope } from '#pipeline/contract/stored-envelope.ts';
import { createBusyGroups } from './busy-groups.ts';
import type { OpenUpload } from './s3-upload.ts';

const contentType = 'message/rfc822';

export function createAwsIntake({
  upload,
  jobs,
  clock = Date.now,
}: {
  readonly upload: OpenUpload;
  readonly jobs: JobSender;
  readonly clock?: Clock;
}): Intake {
  const isBusy = createBusyGroups(clock);
  return {
    open: ({ key, envelope }) => {
      const { metadata, beside } = placeEnvelope(key, envelope);
      const message = upload({ key, contentType, metadata, condition: { ifAbsent: true } });
      return {
        write: message.write,
        commit: async (job) => {
          const [stored] = await Promise.all([message.finish(), beside === null ? null : putEnvelope(upload, beside)]);
          if (stored.outcome === 'conflict') throw new Error(`${key} is already taken by another message`);
          const group = receivedGroup(job);
          await jobs.send('received', job, isBusy(group) ? { group } : {});
        },
        abort: message.abort,
      };
    },
  };
}

async function putEnvelope(
  upload: OpenUpload,
  { key, text }: { readonly key: string; readonly text: string },
): Promise<void> {
  const object = upload({ key, contentType: 'application/json', condition: { ifAbsent: true } });
  await object.write(Buffer.from(text));
  const stored = await object.finish();
  if (stored.outcome === 'conflict') throw new Error(`${key} is already taken by another message`);
}
