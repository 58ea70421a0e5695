// Chaos: faults that a capture server makes on purpose, so that senders can be tried out. The settings, as they stand in
// `pillarbox.json` and in the API. Their short form for people is fault-words.ts; what is done with them, container/chaos.
import { z } from 'zod';

/** The stages of a session at which there may be a fault, in order; `end`: the end of the message, after its last line. */
export const chaosStages = ['connect', 'helo', 'auth', 'mail', 'rcpt', 'data', 'end'] as const;
export type ChaosStage = (typeof chaosStages)[number];

/** A client gives up after five minutes (RFC 5321 §4.5.3.2): more would try nothing out. */
export const maxDelaySeconds = 300;

/** What a fault does: it waits `delaySeconds`, then answers `reply` or drops the connection, or else goes on as usual. */
const chance = z
  .strictObject({
    percent: z
      .number()
      .min(0, 'a chance from 0 to 100')
      .max(100, 'a chance from 0 to 100')
      .default(100)
      .describe('How often, in percent of the times that it may happen.'),
    delaySeconds: z
      .number()
      .min(0, 'seconds from 0')
      .max(maxDelaySeconds, `at most ${maxDelaySeconds} seconds`)
      .default(0)
      .describe('The client waits so long first.'),
    reply: z.int().min(400).max(599).nullable().default(null).describe('The reply code that refuses.'),
    enhanced: z
      .string()
      .regex(/^[45]\.\d{1,3}\.\d{1,3}$/, 'an enhanced code: 4.x.y or 5.x.y')
      .nullable()
      .default(null)
      .describe('The enhanced code beside it; null: the usual one (RFC 3463).'),
    drop: z.boolean().default(false).describe('Closes the connection without a reply.'),
  })
  .refine(({ reply, drop, delaySeconds }) => reply !== null || drop || delaySeconds > 0, {
    error: 'it does nothing: give it a reply, a delaySeconds or "drop": true',
  })
  .refine(({ reply, drop }) => reply === null || !drop, { error: 'a reply, or "drop": true, not both' })
  .refine(({ reply, enhanced }) => enhanced === null || enhanced.charAt(0) === String(reply ?? '').charAt(0), {
    path: ['enhanced'],
    error: 'it goes with a reply of the same class: 4.x.y with 4xx, 5.x.y with 5xx',
  });

const chances = z
  .array(chance)
  .max(20)
  .refine((all) => all.reduce((sum, { percent }) => sum + percent, 0) <= 100.000_001, {
    error: 'the percentages of one stage add up to more than 100',
  })
  .default([]);

/** Chaos that is on. Addresses that ask for a fault get it; the others by chance, at each stage the first that is drawn. */
export const chaosSchema = z.strictObject({
  seed: z
    .int()
    .nonnegative()
    .nullable()
    .default(null)
    .describe('The same seed draws the same chances in the same order; null: others each time.'),
  stages: z
    .strictObject({
      connect: chances,
      helo: chances,
      auth: chances,
      mail: chances,
      rcpt: chances,
      data: chances,
      end: chances,
    } satisfies Record<ChaosStage, typeof chances>)
    .prefault({}),
});

/** Defaults filled in. */
export type ChaosSettings = Readonly<z.output<typeof chaosSchema>>;

/** One fault with its chance. */
export type ChaosChance = ChaosSettings['stages'][ChaosStage][number];
