// What people say of a message (`marks/…`): that it is read, and its tags. No stage writes or reads it; the message itself stays as it
// is. A message without one is unread and has no tags.
import { z } from 'zod';
import { marksKey } from '#pipeline/contract/keys.ts';
import { recordKind } from './stored-record.ts';

const marksSchema = z.strictObject({
  schema: z.literal('marks/1'),
  id: z.string(),
  read: z.boolean(),
  tags: z.array(z.string()),
});

/** `tags`: in the order they were given, each once. */
export type Marks = { readonly read: boolean; readonly tags: readonly string[] };

export const noMarks: Marks = { read: false, tags: [] };

/** By the message's id and its time of receipt. */
export const marksRecord = recordKind(
  marksKey,
  (json): Readonly<z.infer<typeof marksSchema>> => marksSchema.parse(json),
);
