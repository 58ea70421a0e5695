// One line of a trace.
import { z } from 'zod';

/** On the wire `fault` is one that was made on purpose before the message was taken, `landed` is a local delivery, `released` what a person let out of quarantine or sent on, `hook` a call of a hook, `gave-up` a dead letter, `logged` a line of the log. */
export const traceEvent = z.object({
  at: z.string(),
  event: z.enum([
    'fault',
    'received',
    'judged',
    'landed',
    'released',
    'attempt',
    'bounce',
    'hook',
    'gave-up',
    'logged',
  ]),
  text: z.string(),
  details: z.record(z.string(), z.unknown()),
});

/** `event`: a stable word for programs. `text`: a sentence for people. */
export type TraceEvent = z.output<typeof traceEvent>;
