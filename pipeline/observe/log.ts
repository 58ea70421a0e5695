// The log: one JSON object a line. Every value is bounded, because it may be what a peer said.
import type { Clock, Log, LogFields } from '#pipeline/contract/ports.ts';

const maxTextLength = 2_000;

/** What JSON does not escape and a terminal obeys or does not show: controls, marks of writing direction. */
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
      write(`${safeJson(JSON.stringify(shortened({ ...fixed, ...base, ...fields, ...fixed })))}\n`);
    };
  };
  return { info: line('info'), warn: line('warn'), error: line('error') };
}

export function errorFields(thrown: unknown): LogFields {
  if (!(thrown instanceof Error)) return { error: String(thrown) };
  const cause = thrown.cause instanceof Error ? `${thrown.cause.name}: ${thrown.cause.message}` : undefined;
  return { error: `${thrown.name}: ${thrown.message}`, cause, stack: thrown.stack };
}

/** In place: the object was made for one line. */
function shortened(fields: Record<string, LogFields[string]>): Record<string, LogFields[string]> {
  for (const [key, value] of Object.entries(fields)) {
    if (typeof value === 'string' && value.length > maxTextLength) fields[key] = `${value.slice(0, maxTextLength)}…`;
  }
  return fields;
}

/** The same JSON, with escapes for what a terminal would obey. */
export function safeJson(json: string): string {
  return json.replace(unseen, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
