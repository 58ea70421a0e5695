// What people say of a message and did with it (`marks/…`): that it is read, its tags, where they released it to. No stage writes or reads
// it (a capture server begins it with the tags of X-Tags); the message itself stays as it is. A message without one is unread and has no tags.
import { z } from 'zod';
import { marksKey } from '#pipeline/contract/keys.ts';
import { recordKind, timestamp } from './stored-record.ts';

const marksSchema = z.strictObject({
  schema: z.literal('marks/1'),
  id: z.string(),
  read: z.boolean(),
  tags: z.array(z.string()),
  /** The copies that were sent on to real addresses, each a message of its own; the latest fifty. */
  releases: z
    .array(z.strictObject({ id: z.string(), at: timestamp, by: z.string(), to: z.array(z.string()) }))
    .optional(),
});

const maxReleases = 50;

type MarksRecord = Readonly<z.infer<typeof marksSchema>>;

/** `tags`: in the order they were given, each once. */
export type Marks = { readonly read: boolean; readonly tags: readonly string[] };

export const noMarks: Marks = { read: false, tags: [] };

/** By the message's id and its time of receipt. */
export const marksRecord = recordKind(marksKey, (json): MarksRecord => marksSchema.parse(json));

/** The record of a message about which nobody has said anything. */
export function newMarks(id: string): MarksRecord {
  return { schema: 'marks/1', id, ...noMarks, tags: [] };
}

/** The record with one more release, of which the oldest go. */
export function withRelease(marks: MarksRecord, release: NonNullable<MarksRecord['releases']>[number]): MarksRecord {
  return { ...marks, releases: [...(marks.releases ?? []), release].slice(-maxReleases) };
}
