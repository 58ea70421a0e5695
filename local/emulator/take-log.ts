// The functions write log lines as they would on AWS; here they go on to the log of this process, which may be quiet.
import { z } from 'zod';
import type { Log } from '#pipeline/contract/ports.ts';
import { isEventName } from '#pipeline/observe/event-names.ts';

const lineSchema = z
  .object({ time: z.string(), level: z.enum(['info', 'warn', 'error']), event: z.string() })
  .catchall(z.union([z.string(), z.number(), z.boolean(), z.null()]));

/** Takes a log line and answers true; false where the line is another. */
export function takeLog(line: string, log: Log): boolean {
  if (!line.startsWith('{"time":')) return false;
  const parsed = lineSchema.safeParse(JSON.parse(line));
  if (!parsed.success) return false;
  const { time: _, level, event, ...fields } = parsed.data;
  if (!isEventName(event)) return false;
  log[level](event, fields);
  return true;
}
