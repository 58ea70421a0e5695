// Lines of the log as sentences of a trace.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logEvent } from '#ops/trace/trace-log.ts';

const at = '2026-11-26T03:00:00.123Z';

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
