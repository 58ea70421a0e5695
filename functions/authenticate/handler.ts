// Lambda's way into stage authenticate: builds the ports from the environment, once for a sandbox.
import { createAwsParts } from '#pipeline/aws/parts.ts';
import { createEventHandler } from '#pipeline/aws/sqs-event-consumer.ts';
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

/** Takes an SQSEvent of one of the stage's queues, answers which of its records failed. */
export const handler = createEventHandler(deps, stage, () => ({
  received: (job, handout) => authenticate({ ...deps, lane: 'fast' }, job, handout),
  'received-slow': (job, handout) => authenticate({ ...deps, lane: 'slow' }, job, handout),
}));
