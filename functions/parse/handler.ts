// Lambda's way into stage parse: builds the ports and the parser from the environment, once for a sandbox.

import { createParser } from '#functions/parse/worker/parser.ts';
import { createEventsClient } from '#pipeline/aws/clients.ts';
import { createEventBus } from '#pipeline/aws/event-bus.ts';
import { createAwsParts } from '#pipeline/aws/parts.ts';
import { createEventHandler } from '#pipeline/aws/sqs-event-consumer.ts';
import { processorShare, stages } from '#pipeline/contract/stages.ts';
import { parse } from './parse.ts';

const stage = stages.parse;
const parts = createAwsParts({
  name: stage.name,
  sends: stage.sends,
  variables: process.env,
  write: (line) => process.stdout.write(line),
});
const { bucket, eventBus } = parts.environment;
const announcing =
  eventBus === null
    ? {}
    : { announce: createEventBus({ client: createEventsClient(parts.environment), bus: eventBus, bucket }) };
const deps = {
  ...parts,
  ...announcing,
  parser: createParser({ processorShare: processorShare(stage) }),
  random: Math.random,
};

/** Takes an SQSEvent of the stage's queue, answers which of its records failed. */
export const handler = createEventHandler(deps, stage, () => ({
  parse: (job, handout) => parse(deps, job, handout),
}));
