// The log: one JSON object a line. It knows the form of a line, not where lines go; every value is bounded, because
// what peers say ends up in it.
import type { Clock, Log, LogFields } from '#pipeline/contract/ports.ts';

const maxTextLength = 2_000;

/** Characters that JSON does not escape and that change what a terminal shows: controls, marks of writing direction. */
const unseen = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const levels = ['info', 'warn', 'error'] as const;
type Level = (typeof levels)[number];

/**
 * Makes a log that writes `{"time","level","event",…base,…fields}` lines. `write` gets each line with its newline.
 * Undefined fields are left out; texts over 2,000 characters are cut. Lines below `least` are not made.
 */
export function createLog({
  write,
  clock,
  base = {},
  least = 'info',
}: {
  readonly write: (line: string) => void;
  readonly clock: Clock;
  readonly base?: LogFields;
  readonly least?: Level;
}): Log {
  const line = (level: Level): Log[Level] => {
    if (levels.indexOf(level) < levels.indexOf(least)) return () => {};
    return (event, fields) => {
      const fixed = { time: new Date(clock()).toISOString(), level, event };
      const text = JSON.stringify(shortened({ ...fixed, ...base, ...fields, ...fixed }));
      write(`${text.replace(unseen, escaped)}\n`);
    };
  };
  return { info: line('info'), warn: line('warn'), error: line('error') };
}

/** What is known of a thrown thing, as log fields: its name, message, cause and stack. */
export function errorFields(thrown: unknown): LogFields {
  if (!(thrown instanceof Error)) return { error: String(thrown) };
  const cause = thrown.cause instanceof Error ? `${thrown.cause.name}: ${thrown.cause.message}` : undefined;
  return { error: `${thrown.name}: ${thrown.message}`, cause, stack: thrown.stack };
}

/** Cuts what is too long, in place: the object was made for one line. */
function shortened(fields: Record<string, LogFields[string]>): Record<string, LogFields[string]> {
  for (const [key, value] of Object.entries(fields)) {
    if (typeof value === 'string' && value.length > maxTextLength) fields[key] = `${value.slice(0, maxTextLength)}…`;
  }
  return fields;
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
