// A log that says nothing and remembers everything.
import type { Log, LogFields } from '#pipeline/contract/ports.ts';

export type LogEntry = {
  readonly level: 'info' | 'warn' | 'error';
  readonly event: string;
  readonly fields: LogFields;
};
export type SilentLog = Log & { readonly entries: LogEntry[]; readonly of: (event: string) => readonly LogEntry[] };

/** A log whose lines are in `entries`; `of(event)` picks those of one event. */
export function silentLog(): SilentLog {
  const entries: LogEntry[] = [];
  const at =
    (level: LogEntry['level']) =>
    (event: string, fields: LogFields = {}): void => {
      entries.push({ level, event, fields });
    };
  return {
    entries,
    of: (event) => entries.filter((entry) => entry.event === event),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  };
}
