// Lines of the log as sentences of a trace.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logEvent } from '#ops/trace/trace-log.ts';

const at = '2026-11-26T03:00:00.123Z';

const call = { stage: 'notify', id: 'X', hook: 'tickets', key: 'inbox/a', attempt: 1 };
for (const { title, fields, text } of [
  {
    title: 'a hook that took the message, with what it answered',
    fields: { event: 'hook-told', ...call, status: 204 },
    text: 'hook tickets was called: it answered 204',
  },
  {
    title: 'a program that took it, with what it wrote',
    fields: { event: 'hook-told', ...call, attempt: 2, output: 'filed' },
    text: 'hook tickets was called (attempt 2): it took the message, and wrote: filed',
  },
  {
    title: 'a hook that failed, and when it is called again',
    fields: { event: 'hook-failed', level: 'warn', ...call, reason: 'it answered 503', next: at },
    text: `hook tickets was called and failed: it answered 503; called again at ${at}`,
  },
  {
    title: 'a hook that failed for the last time',
    fields: { event: 'hook-failed', level: 'warn', ...call, attempt: 30, reason: 'it answered 503', next: null },
    text: 'hook tickets was called (attempt 30) and failed: it answered 503; it is called no more',
  },
  {
    title: 'a hook that wants no more',
    fields: { event: 'hook-gone', ...call, reason: 'it answered 410: it is to be told no more' },
    text: 'hook tickets is told no more of it: it answered 410: it is to be told no more',
  },
]) {
  test(title, () => {
    const event = logEvent({ at, message: JSON.stringify(fields) });
    assert.deepEqual([event.event, event.at, event.text], ['hook', at, text]);
  });
}

for (const { title, message, text, when = at } of [
  {
    title: 'a line of ours says who logged what, without the id',
    message: JSON.stringify({
      time: '2026-11-26T03:00:00.120Z',
      level: 'info',
      event: 'message-stored',
      stage: 'parse',
      id: 'X',
      keys: 2,
      of: ['a'],
    }),
    text: 'logged by parse: message-stored, keys: 2, of: ["a"]',
    when: '2026-11-26T03:00:00.120Z',
  },
  {
    title: 'a level other than info is named; what is null and the stack are left out',
    message: JSON.stringify({
      level: 'warn',
      event: 'own-fault',
      stage: 'deliver',
      id: 'X',
      reason: 'no key',
      retryAt: null,
      stack: 'at',
    }),
    text: 'logged by deliver (warn): own-fault, reason: no key',
  },
  {
    title: 'a long value is cut',
    message: JSON.stringify({ event: 'job-failed', stage: 'parse', error: 'e'.repeat(300) }),
    text: `logged by parse: job-failed, error: ${'e'.repeat(200)}…`,
  },
  {
    title: 'a line of the runtime is shown as it is',
    message: 'Task timed out after 60.00 seconds\n',
    text: 'logged: Task timed out after 60.00 seconds',
  },
]) {
  test(title, () => {
    const event = logEvent({ at, message });
    assert.deepEqual([event.event, event.at, event.text], ['logged', when, text]);
  });
}
