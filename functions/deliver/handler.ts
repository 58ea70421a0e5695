// Lambda's way into stage deliver: builds the ports, the worker's memory and the connection pool from the environment, once for a sandbox.

import { createFleetLeases } from '#functions/deliver/destination/fleet-leases.ts';
import { createPolicyFetch } from '#functions/deliver/hosts/fetch-policy.ts';
import { createConnectionPool } from '#functions/deliver/smtp/connection-pool.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import { createAwsParts } from '#pipeline/aws/parts.ts';
import { createEventHandler } from '#pipeline/aws/sqs-event-consumer.ts';
import { stages } from '#pipeline/contract/stages.ts';
import { deliver } from './deliver.ts';
import { withLeases } from './with-leases.ts';
import { createWorkerMemory } from './worker-memory.ts';

const stage = stages.deliver;
const { dns, ...parts } = createAwsParts({
  name: stage.name,
  sends: stage.sends,
  variables: process.env,
  write: (line) => process.stdout.write(line),
});
const memory = createWorkerMemory();
const deps = {
  ...parts,
  leases: createFleetLeases({ ...parts, owner: memory.owner }),
  resolve: dns.resolve,
  dnsProblem: dns.problem,
  newMessageId: messageIdFactory(),
  memory,
  connections: createConnectionPool(),
  fetchPolicy: createPolicyFetch(),
  random: Math.random,
};

/** Lambda kills a run at its timeout; this is kept free before that to record the last answer. */
const recordMs = 20_000;

const run = createEventHandler(deps, stage, () => {
  const runEndsAt = performance.now() + stage.timeoutSeconds * 1_000 - recordMs;
  return { deliver: (job, handout) => deliver({ ...deps, runEndsAt }, job, handout) };
});

/** Takes an SQSEvent of the stage's queue, answers which of its records failed. */
export const handler = (event: unknown) => withLeases(deps, () => run(event));
