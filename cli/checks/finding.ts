// What a check found, and how it is shown.
import { z } from 'zod';
import { plain } from '#cli/command.ts';
import { isDenied } from '#cli/deployment.ts';
import { errorMessage } from '#mail/problem.ts';

export const findingSchema = z.strictObject({
  /** `missing` keeps mail from working, `advice` makes it work better. */
  level: z.enum(['ok', 'advice', 'missing']),
  what: z.string(),
  /** Lines for a zone file, or what to do. */
  publish: z.string().optional(),
});

export type Finding = Readonly<z.output<typeof findingSchema>>;

export const ok = (what: string, publish?: string): Finding => ({ level: 'ok', what, publish });
export const advice = (what: string, publish?: string): Finding => ({ level: 'advice', what, publish });
export const missing = (what: string, publish?: string): Finding => ({ level: 'missing', what, publish });

/** For a secret that could not be used. If AWS does not let whoever runs this read it, nothing is known of it. */
export function unread(what: string, thrown: unknown): Finding {
  const isUnknown = isDenied(thrown);
  return isUnknown
    ? advice(`${what}? Not known: these AWS credentials may not read it (${errorMessage(thrown)})`)
    : missing(`${what}: ${errorMessage(thrown)}`);
}

/** As lines for the terminal. */
export function shownFinding({ level, what, publish }: Finding): string {
  const word = { ok: 'ok     ', advice: 'advice ', missing: 'MISSING' }[level];
  return `${word}  ${plain(what)}${publish === undefined ? '' : `\n${publish.replace(/^/gm, '           ')}`}`;
}
