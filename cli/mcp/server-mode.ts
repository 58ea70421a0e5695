// Whether the server that is asked captures mail or serves it.
import { z } from 'zod';
import { isCliError } from '#cli/command.ts';
import type { AskMail } from './ask-mail.ts';

const healthSchema = z.object({ mode: z.enum(['serve', 'capture']) });

export type ServerMode = z.output<typeof healthSchema>['mode'];

/** Longer an agent that asks for the tools is not kept waiting. */
const timeoutMs = 3_000;

/** Null if no server tells: none runs, or it is not well. */
export async function serverMode(ask: AskMail): Promise<ServerMode | null> {
  try {
    return (await ask.json(healthSchema, { path: '/health', timeoutMs })).mode;
  } catch (thrown) {
    if (isCliError(thrown)) return null;
    throw thrown;
  }
}
