// Answers as soon as a message is in: what a test asks after it made an app send mail.
import { z } from 'zod';
import { problem } from '#mail/problem.ts';
import { json, notFound, refusal, stream, withHeaders } from '#ops/api/answer.ts';
import { parsed, searchText, text } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
import type { ServiceDeps } from '#ops/deps.ts';
import { inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';
import { listed, listedMessage } from './list-messages.ts';

/** Longer than this, a connection over which nothing goes is closed. */
const maxSeconds = 60;

function optionalText(about: string) {
  return text()
    .transform((given) => given.trim() || null)
    .default(null)
    .describe(about);
}

const time = parsed('a time (ISO 8601, as in 2026-11-21T12:00:00Z)', (given) => {
  const milliseconds = given === '' ? Number.NaN : Date.parse(given);
  return Number.isNaN(milliseconds) ? problem('no time') : new Date(milliseconds).toISOString();
})
  .optional()
  .meta({ type: 'string', format: 'date-time' });

const timeout = parsed(`seconds, from 0 to ${maxSeconds}`, (given) => {
  const seconds = /^\d{1,2}(?:\.\d{1,3})?$/.test(given) ? Number(given) : Number.NaN;
  return seconds <= maxSeconds ? seconds : problem('out of range');
})
  .default(30)
  .meta({ type: 'number', minimum: 0, maximum: maxSeconds });

/** `arrived`: what came meanwhile, newest first. */
const timedOut = z.object({
  error: z.object({ code: z.literal('timeout'), message: z.string() }),
  arrived: z.array(listedMessage),
});

export const waitForMessage = useCase({
  about: 'the newest message that fits, or the first that comes; 408 after the timeout, with what came instead',
  takes: {
    to: optionalText('part of the recipient, as the sender wrote it or as in To'),
    from: optionalText('part of the sender'),
    subject: optionalText('part of the subject'),
    q: searchText,
    after: time,
    timeout,
  },
  gives: inboxMessageSchema,
  refuses: ['not-found', 'too-many-waiting'],
  others: { 408: timedOut },
  answer: async (
    { waiters, store }: Pick<ServiceDeps, 'waiters' | 'store'>,
    { timeout: seconds, after = null, q, ...wanted },
    { gone },
  ) => {
    const waited = await waiters.wait({ ...wanted, q: q || null, after }, { timeoutMs: seconds * 1_000, gone });
    switch (waited.outcome) {
      case 'found': {
        const object = await store.get(waited.summary.key);
        if (object === null) return notFound('it came, and is not stored any more');
        return stream(object, { 'content-type': 'application/json; charset=utf-8' });
      }
      case 'timeout': {
        const copies = Map.groupBy(waited.arrived, ({ id }) => id).values();
        const arrived = [...copies].flatMap(([first, ...others]) =>
          first === undefined ? [] : [listed([first, ...others])],
        );
        const message = `no such message within ${seconds} s; ${arrived.length} others came`;
        const answer: z.output<typeof timedOut> = { error: { code: 'timeout', message }, arrived };
        return json(answer, 408);
      }
      case 'full':
        return withHeaders(refusal(503, 'too-many-waiting', 'too many wait for messages already'), {
          'retry-after': '1',
        });
      case 'gone':
        throw gone.reason;
    }
  },
});
