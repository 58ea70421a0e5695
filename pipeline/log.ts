// The log: one JSON object a line. It knows the form of a line, not where lines go; every value is bounded, because
// what peers say ends up in it.
import type { Clock, Log, LogFields } from './ports.ts';

const maxTextLength = 2_000;

/** What JSON leaves as it is and a terminal obeys or a reader does not see: controls, marks of writing direction. */
const unseen = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

type Level = 'info' | 'warn' | 'error';

/**
 * Makes a log that writes `{"time","level","event",…base,…fields}` lines. `write` gets each line with its newline.
 * Undefined fields are left out; texts over 2,000 characters are cut.
 */
export function createLog({
  write,
  clock,
  base = {},
}: {
  readonly write: (line: string) => void;
  readonly clock: Clock;
  readonly base?: LogFields;
}): Log {
  const line = (level: Level) => (event: string, fields?: LogFields) => {
    const fixed = { time: new Date(clock()).toISOString(), level, event };
    const text = JSON.stringify({ ...fixed, ...base, ...fields, ...fixed }, cut);
    write(`${text.replace(unseen, escaped)}\n`);
  };
  return { info: line('info'), warn: line('warn'), error: line('error') };
}

/** What is known of a thrown thing, as log fields: its name, message, cause and stack. */
export function errorFields(thrown: unknown): LogFields {
  if (!(thrown instanceof Error)) return { error: String(thrown) };
  const cause = thrown.cause instanceof Error ? `${thrown.cause.name}: ${thrown.cause.message}` : undefined;
  return { error: `${thrown.name}: ${thrown.message}`, cause, stack: thrown.stack };
}

function cut(_key: string, value: unknown): unknown {
  return typeof value === 'string' && value.length > maxTextLength ? `${value.slice(0, maxTextLength)}…` : value;
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
