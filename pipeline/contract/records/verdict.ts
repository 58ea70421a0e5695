// What was found out about a sender, where two runs of one job might find different things: the verdict that was written first holds for
// both (`verdicts/…`). Stage authenticate writes and reads it.
import { z } from 'zod';
import { authenticationSchema } from '#pipeline/contract/jobs.ts';
import { verdictKey } from '#pipeline/contract/keys.ts';
import { recordKind, timestamp } from './stored-record.ts';

const verdictSchema = z.strictObject({
  schema: z.literal('verdict/1'),
  at: timestamp,
  authentication: authenticationSchema,
});

export type Verdict = Readonly<z.infer<typeof verdictSchema>>;

/** By the message's id and its time of receipt. */
export const verdictRecord = recordKind(verdictKey, (json): Verdict => verdictSchema.parse(json));
