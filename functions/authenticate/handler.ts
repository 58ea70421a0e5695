// Lambda's way into stage authenticate: builds the ports from the environment, once for a sandbox.
import { createAwsParts } from '#pipeline/aws/parts.ts';
import { type BatchAnswer, consumeSqsEvent, isEventOf } from '#pipeline/aws/sqs-event-consumer.ts';
import { stages } from '#pipeline/contract/stages.ts';
import { authenticate } from './authenticate.ts';

const stage = stages.authenticate;
const { dns, metrics, ...parts } = createAwsParts({
  name: stage.name,
  sends: stage.sends,
  variables: process.env,
  write: (line) => process.stdout.write(line),
});
const deps = { ...parts, metrics, resolve: dns.resolve, dnsProblem: dns.problem, random: Math.random };

/** Takes an SQSEvent of queue `received` or `received-slow`, answers which of its records failed. */
export async function handler(event: unknown): Promise<BatchAnswer> {
  const isSlow = isEventOf(event, 'received-slow');
  const [queue, lane] = isSlow ? (['received-slow', 'slow'] as const) : (['received', 'fast'] as const);
  try {
    return await consumeSqsEvent(event, {
      ...deps,
      queue,
      maxReceives: stage.maxReceives,
      run: (job, handout) => authenticate({ ...deps, lane }, job, handout),
    });
  } finally {
    metrics.flush();
  }
}
