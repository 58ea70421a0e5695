// Several jobs in one message of SQS, which bills a message as one request of each kind up to 64 KiB: `{"version":1,"jobs":[…]}`.
// What is put back, waits or was handed out before is never packed: it is a message of its own.
import { z } from 'zod';

/** A pack is shorter than what SQS bills as one request of 64 KiB, with room for what is beside its jobs. */
export const maxPackBytes = 60_000;

const packSchema = z.strictObject({ version: z.literal(1), jobs: z.array(z.unknown()).min(1) });

/** The body of a message that holds these jobs, each as JSON text; a single job stands as it is. */
export function packBody(jobs: readonly string[]): string {
  const [only] = jobs;
  return jobs.length === 1 && only !== undefined ? only : `{"version":1,"jobs":[${jobs.join(',')}]}`;
}

/** The jobs of a message's body, each as JSON text; null if it is no pack. */
export function packedJobs(body: string): readonly string[] | null {
  try {
    const jobs = packSchema.safeParse(JSON.parse(body)).data?.jobs;
    return jobs?.map((job) => JSON.stringify(job)) ?? null;
  } catch {
    return null; // What is no JSON is no pack.
  }
}

/** A message for each of its jobs, with all else that it is: itself, if it is no pack. */
export function unpacked<Message extends { readonly body: string }>(message: Message): readonly Message[] {
  return packedJobs(message.body)?.map((body) => ({ ...message, body })) ?? [message];
}

/**
 * Splits items into runs of the same group, each of at most `maxJobs` and `maxPackBytes`; an item of no group (null) stays alone.
 * Answers their indexes.
 */
export function packsOf(
  items: readonly { readonly group: string | null; readonly bytes: number }[],
  maxJobs: number,
): readonly (readonly number[])[] {
  const packs: number[][] = [];
  const open = new Map<string, { readonly pack: number[]; bytes: number }>();
  for (const [index, { group, bytes }] of items.entries()) {
    const current = group === null ? undefined : open.get(group);
    if (current !== undefined && current.pack.length < maxJobs && current.bytes + bytes + 1 <= maxPackBytes) {
      current.pack.push(index);
      current.bytes += bytes + 1;
      continue;
    }
    const pack = [index];
    packs.push(pack);
    if (group !== null) open.set(group, { pack, bytes });
  }
  return packs;
}
