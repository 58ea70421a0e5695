// The lines of the log that are about a message, as events of its trace.
import { z } from 'zod';
import type { HeldJob } from '#ops/admin.ts';
import type { LogLine } from '#ops/deps.ts';
import { toldJob } from '#ops/held-jobs.ts';
import type { TraceEvent } from './trace-event.ts';

const lineSchema = z.looseObject({
  time: z.iso.datetime().optional(),
  level: z.string().default('info'),
  event: z.string(),
  stage: z.string().default('the service'),
});

/** Said already, or for a debugger. */
const leftOut = ['id', 'stack', 'version'];
const maxValueLength = 200;

/** A line that is none of ours (a runtime's) is shown as it is. */
export function logEvent({ at, message }: LogLine): TraceEvent {
  const read = lineSchema.safeParse(parsed(message));
  if (!read.success)
    return { at, event: 'logged', text: `logged: ${short(message.trim())}`, details: { line: message } };
  const { time = at, level, event, stage, ...fields } = read.data;
  const called = calledSentence(event, fields);
  if (called !== null) return { at: time, event: 'hook', text: called, details: { event, ...fields } };
  const said = Object.entries(fields).flatMap(([name, value]) => {
    return leftOut.includes(name) || value === null ? [] : [`${name}: ${short(value)}`];
  });
  const text = `logged by ${stage}${level === 'info' ? '' : ` (${level})`}: ${[event, ...said].join(', ')}`;
  return { at: time, event: 'logged', text, details: { stage, level, event, ...fields } };
}

const callSchema = z.looseObject({
  hook: z.string(),
  attempt: z.number(),
  status: z.number().optional(),
  output: z.string().optional(),
  reason: z.string().optional(),
  next: z.string().nullish(),
});

/** What a line says of the call of a hook, as a sentence; null if it is about something else. */
function calledSentence(event: string, fields: object): string | null {
  const read = callSchema.safeParse(fields);
  if (!event.startsWith('hook-') || !read.success) return null;
  const { hook, attempt, status, output, reason = 'no reason is known', next = null } = read.data;
  const call = `hook ${hook} was called${attempt === 1 ? '' : ` (attempt ${attempt})`}`;
  switch (event) {
    case 'hook-told': {
      const answer = status === undefined ? 'it took the message' : `it answered ${status}`;
      return `${call}: ${answer}${output === undefined ? '' : `, and wrote: ${short(output)}`}`;
    }
    case 'hook-failed': {
      const again = next === null ? 'it is called no more' : `called again at ${next}`;
      return `${call} and failed: ${short(reason)}; ${again}`;
    }
    case 'hook-gone':
      return `hook ${hook} is told no more of it: ${short(reason)}`;
    case 'hook-mail-deleted':
      return `hook ${hook} was not called: the message was deleted`;
    default:
      return null;
  }
}

/** The jobs that, as far as these lines tell, wait after a run that did not end well. */
export function heldByLog(lines: readonly LogLine[]): readonly HeldJob[] {
  const held = new Map<string, HeldJob | null>();
  for (const { message } of lines) {
    const { success, data } = lineSchema.safeParse(parsed(message));
    const told = success ? toldJob(data.event, data) : null;
    if (told !== null) held.set(told.of, told.held);
  }
  return [...held.values()].filter((job) => job !== null);
}

function short(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > maxValueLength ? `${text.slice(0, maxValueLength)}…` : text;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
