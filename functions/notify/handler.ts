// Lambda's way into stage notify: builds the ports from the environment, once for a sandbox.

import { createLinks } from '#pipeline/aws/links.ts';
import { createAwsParts } from '#pipeline/aws/parts.ts';
import { createEventHandler } from '#pipeline/aws/sqs-event-consumer.ts';
import { stages } from '#pipeline/contract/stages.ts';
import { systemLookUp } from './find-addresses.ts';
import { notify } from './notify.ts';

const stage = stages.notify;
const parts = createAwsParts({
  name: stage.name,
  sends: stage.sends,
  variables: process.env,
  write: (line) => process.stdout.write(line),
});
// Loopback is this sandbox itself, with the API of its runtime; only the emulator world has receivers there.
const isEmulated = parts.environment.endpoint !== null;
const deps = {
  ...parts,
  lookUp: systemLookUp,
  reach: { loopback: isEmulated, private: false },
  linkTo: createLinks(parts.environment, parts.clock),
  programs: null,
  random: Math.random,
};

/** Takes an SQSEvent of the stage's queue, answers which of its records failed. */
export const handler = createEventHandler(deps, stage, () => ({
  notify: (job, handout) => notify(deps, job, handout),
}));
