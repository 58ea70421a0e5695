// The lines of the log that say how a hook was called, kept in memory for the traces of messages: on one machine nobody can search the
// log. Without a write for each call, so they are gone when the process ends.
import { LRUCache } from 'lru-cache';
import type { LogLine } from '#ops/deps.ts';
import type { Clock, Log, LogFields } from '#pipeline/contract/ports.ts';

const messagesKept = 2_000;
/** Two hooks that fail for a day have fewer. */
const linesOfMessage = 100;
const longestOutput = 200;

export type HookLines = {
  /** The log, which is listened to. */
  readonly log: Log;
  /** Those of a message, in order of time. */
  readonly of: (id: string) => readonly LogLine[];
};

/** Keeps what is logged of the last messages that hooks were called for. */
export function keepHookLines(log: Log, clock: Clock): HookLines {
  const lines = new LRUCache<string, LogLine[]>({ max: messagesKept });
  const note = (level: keyof Log, event: string, fields: LogFields): void => {
    const id = fields['id'];
    if (!event.startsWith('hook-') || typeof id !== 'string') return;
    const at = new Date(clock()).toISOString();
    const output = typeof fields['output'] === 'string' ? { output: fields['output'].slice(0, longestOutput) } : {};
    const line = { at, message: JSON.stringify({ ...fields, ...output, time: at, level, event, stage: 'notify' }) };
    lines.set(id, [...(lines.get(id) ?? []), line].slice(-linesOfMessage));
  };
  const listened = (level: keyof Log): Log[keyof Log] => {
    return (event, fields = {}) => {
      note(level, event, fields);
      log[level](event, fields);
    };
  };
  return {
    log: { info: listened('info'), warn: listened('warn'), error: listened('error') },
    of: (id) => lines.get(id) ?? [],
  };
}
