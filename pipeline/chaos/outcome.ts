// What chaos did once: told by the listener, read by the API and the trace.
import { z } from 'zod';
import { chaosStages } from './settings.ts';

/**
 * One fault. `why`: the address that asked for it, or the chance. `reply` null: none was given, it only waited or the connection was
 * dropped. `recipient` null: there was none yet. `id`: the message that was accepted in spite of it, null while none was.
 */
export const chaosOutcomeSchema = z.object({
  at: z.string(),
  stage: z.enum(chaosStages),
  why: z.string(),
  delaySeconds: z.number(),
  reply: z.string().nullable(),
  dropped: z.boolean(),
  clientIp: z.string(),
  reversePath: z.string().nullable(),
  recipient: z.string().nullable(),
  id: z.string().nullable(),
});

export type ChaosOutcome = Readonly<z.output<typeof chaosOutcomeSchema>>;

const places: Readonly<Record<ChaosOutcome['stage'], string>> = {
  connect: 'the greeting',
  helo: 'EHLO',
  auth: 'AUTH',
  mail: 'MAIL',
  rcpt: 'RCPT',
  data: 'DATA',
  end: 'the end of the message',
};

/** What was done, as a sentence without a full stop: `chaos: RCPT of <later-451-once@example.test> was answered 451 …`. */
export function chaosSentence({ stage, reply, dropped, delaySeconds, recipient, why }: ChaosOutcome): string {
  const what = `${places[stage]}${recipient === null ? '' : ` of <${recipient}>`}`;
  const waited = delaySeconds > 0 ? ` was delayed ${delaySeconds} s` : '';
  const ended = dropped ? ' was cut off without a reply' : reply === null ? '' : ` was answered ${reply}`;
  const done = `chaos: ${what}${[waited, ended].filter((part) => part !== '').join(' and')}`;
  return reply === null ? `${done} (${why})` : done; // a reply says why
}
