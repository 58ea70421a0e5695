// Chaos of a capture server, to look at and to change: what is in force, and what was done lately.
import { z } from 'zod';
import type { MessageId } from '#mail/header/message-id.ts';
import { isProblem } from '#mail/problem.ts';
import { type Answer, json, refusal } from '#ops/api/answer.ts';
import { limit } from '#ops/api/parameters.ts';
import { bodyUseCase, useCase } from '#ops/api/use-case.ts';
import { formatChaos, parseChaosWords } from '#pipeline/chaos/fault-words.ts';
import { type ChaosOutcome, chaosOutcomeSchema } from '#pipeline/chaos/outcome.ts';
import { type ChaosSettings, chaosSchema } from '#pipeline/chaos/settings.ts';

/** The chaos of the listener in this process (container/chaos/chaos.ts). */
export type ChaosControl = {
  /** `isPossible`: in mode `capture` alone. `settings`: null while chaos is off. */
  readonly now: () => Promise<{ readonly isPossible: boolean; readonly settings: ChaosSettings | null }>;
  /** Until the process ends; null: off. */
  readonly set: (settings: ChaosSettings | null) => void;
  /** Whether {@link set} was called. */
  readonly isSet: () => boolean;
  /** The newest first. */
  readonly recent: () => readonly ChaosOutcome[];
  /** Those before a message was accepted, in order of time. */
  readonly of: (id: MessageId) => readonly ChaosOutcome[];
};

type Deps = { readonly chaos: ChaosControl };

/**
 * `words`: the settings as the command line writes them, `off` for none. `from`: the configuration, or what was set since the start.
 * `recent`: what was done, the newest first.
 */
export const chaosAnswer = z.object({
  isPossible: z.boolean(),
  words: z.string(),
  from: z.enum(['configuration', 'set']),
  settings: chaosSchema.nullable(),
  recent: z.array(chaosOutcomeSchema),
});

export const showChaos = useCase({
  about: 'the faults that a capture server makes on purpose, and what it did lately',
  takes: { limit },
  gives: chaosAnswer,
  answer: ({ chaos }: Deps, { limit: atMost }) => shown(chaos, atMost),
});

const wanted = z.union(
  [z.strictObject({ settings: chaosSchema.nullable() }), z.strictObject({ words: z.string().max(2_000) })],
  { error: ({ input }) => (isOneOfBoth(input) ? undefined : 'expected either words or settings') },
);

/** Then zod says what is wrong with it. */
function isOneOfBoth(input: unknown): boolean {
  return typeof input === 'object' && input !== null && 'words' in input !== 'settings' in input;
}

/** `settings`: null for off; or `words`, as `rcpt-451-10% slow-5s-data`, `on` or `off`. 409 in mode `serve`. */
export const putChaos = bodyUseCase({
  about: 'set the faults that a capture server makes on purpose, until it ends',
  takes: {},
  body: { schema: wanted, maxBytes: 65_536 },
  gives: chaosAnswer,
  refuses: ['not-capture'],
  answer: async ({ chaos }: Deps, { body }) => {
    const read = 'words' in body ? parseChaosWords(body.words) : body.settings;
    const settings = read === 'off' ? null : read;
    if (isProblem(settings)) return refusal(400, 'bad-body', settings.problem, { field: 'words' });
    if (!(await chaos.now()).isPossible) return notCapture();
    chaos.set(settings);
    return shown(chaos, 0);
  },
});

/** Chaos in a service that is not for trials. */
function notCapture(): Answer {
  const why = 'chaos refuses and loses mail on purpose, so it goes with "mode": "capture" alone';
  return refusal(409, 'not-capture', why);
}

async function shown(chaos: ChaosControl, atMost: number): Promise<Answer> {
  const { isPossible, settings } = await chaos.now();
  return json({
    isPossible,
    words: settings === null ? 'off' : formatChaos(settings),
    from: chaos.isSet() ? 'set' : 'configuration',
    settings,
    recent: chaos.recent().slice(0, atMost),
  });
}
