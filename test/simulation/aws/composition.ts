// The processes of the service as their composition roots make them (functions/*/handler.ts, container/main.ts): the same parts and the
// same stages, over SDK clients whose requests go to the simulated AWS.

import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { SendMessageBatchCommand } from '@aws-sdk/client-sqs';
import { type Listener, startListener } from '#container/listener.ts';
import { makeSelfSigned } from '#container/tls/certificate.ts';
import { authenticate } from '#functions/authenticate/authenticate.ts';
import { deliver } from '#functions/deliver/deliver.ts';
import { createFleetLeases } from '#functions/deliver/destination/fleet-leases.ts';
import { createConnectionPool } from '#functions/deliver/smtp/connection-pool.ts';
import { withLeases } from '#functions/deliver/with-leases.ts';
import { createWorkerMemory } from '#functions/deliver/worker-memory.ts';
import { parse } from '#functions/parse/parse.ts';
import type { Parser } from '#functions/parse/worker/parser.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import { createS3Client, createSqsClient } from '#pipeline/aws/clients.ts';
import { type AwsParts, createAwsParts } from '#pipeline/aws/parts.ts';
import { createEventHandler } from '#pipeline/aws/sqs-event-consumer.ts';
import { suppressionLookup } from '#pipeline/contract/records/suppression-lookup.ts';
import { listenerAccess, queueNames, queueUrlVariable, type StageName, stages } from '#pipeline/contract/stages.ts';
import { type DoorWorld, type Service, shareClient } from './aws-door.ts';
import type { Sandbox } from './poller.ts';
import { simQueueUrl } from './sqs-requests.ts';

/** What the processes are made with. `plant` may put a fault into the parts of one. */
export type Surroundings = {
  readonly door: DoorWorld;
  readonly s3: Service;
  readonly sqs: Service;
  readonly write: (line: string) => void;
  readonly parser: Pick<Parser, 'parse'>;
  readonly plant: (parts: AwsParts, name: string) => AwsParts;
};

const variables: Record<string, string> = {
  PILLARBOX_BUCKET: 'mail',
  PILLARBOX_CONFIG_REFRESH_SECONDS: '120',
  AWS_REGION: 'us-east-1',
  SIM_SRS: 'a secret of the simulation, for return addresses',
  ...Object.fromEntries(queueNames.map((queue) => [queueUrlVariable(queue), simQueueUrl(queue)])),
};
const place = { region: 'us-east-1', endpoint: 'https://sim.example' };

// Made before any run, as the certificate is.
const sdk = {
  s3: await shareClient(createS3Client(place), (s3) => s3.send(new HeadObjectCommand({ Bucket: 'mail', Key: 'any' }))),
  sqs: await shareClient(createSqsClient(place), (sqs) =>
    sqs.send(new SendMessageBatchCommand({ QueueUrl: simQueueUrl('received'), Entries: [] })),
  ),
};

function partsOf(surroundings: Surroundings, name: StageName | 'listener'): AwsParts {
  const { door, s3, sqs, write, plant } = surroundings;
  sdk.s3.open(door, s3);
  sdk.sqs.open(door, sqs);
  const clients = { s3: sdk.s3.client, sqs: sdk.sqs.client };
  const { sends, forbiddenIsAbsent } = name === 'listener' ? listenerAccess : stages[name];
  return plant(createAwsParts({ name, sends, forbiddenIsAbsent, variables, write, clients }), name);
}

const recordMs = 20_000; // functions/deliver/handler.ts

/** A stage's handler; to be called in its process. */
export function composeStage(surroundings: Surroundings, name: StageName): Sandbox['handler'] {
  const { dns, ...parts } = partsOf(surroundings, name);
  const shared = { ...parts, resolve: dns.resolve, dnsProblem: dns.problem, random: Math.random };
  switch (name) {
    case 'authenticate':
      return createEventHandler(shared, stages.authenticate, () => ({
        received: (job, handout) => authenticate({ ...shared, lane: 'fast' }, job, handout),
        'received-slow': (job, handout) => authenticate({ ...shared, lane: 'slow' }, job, handout),
      }));
    case 'parse': {
      const deps = { ...shared, parser: surroundings.parser };
      return createEventHandler(deps, stages.parse, () => ({ parse: (job, handout) => parse(deps, job, handout) }));
    }
    case 'notify':
      throw new Error('the simulation has no hooks');
    case 'deliver': {
      const memory = createWorkerMemory();
      const deps = {
        ...shared,
        leases: createFleetLeases({ ...shared, owner: memory.owner }),
        newMessageId: messageIdFactory(),
        memory,
        connections: createConnectionPool(),
        fetchPolicy: () => Promise.reject(new Error('no domain of the simulation has a policy')),
      };
      const run = createEventHandler(deps, stages.deliver, () => {
        const runEndsAt = performance.now() + stages.deliver.timeoutSeconds * 1_000 - recordMs;
        return { deliver: (job, handout) => deliver({ ...deps, runEndsAt }, job, handout) };
      });
      return (event) => withLeases(deps, () => run(event));
    }
  }
}

// Made before any run: no run makes keys.
const certificate = await makeSelfSigned('mx.mail.example', Date.now());

/** The listener, opened; to be called in its process. */
export function composeListener(surroundings: Surroundings): Promise<Listener> {
  const { dns, intake, config, secrets, store, clock, log, metrics } = partsOf(surroundings, 'listener');
  return startListener({
    intake,
    config,
    secrets,
    suppressions: suppressionLookup(store, clock),
    srsSecret: async () => secrets.read((await config.current()).srsSecret ?? 'secret:srs'),
    reverseName: dns.reverseName,
    clock,
    newMessageId: messageIdFactory(),
    log,
    metrics,
    certificate: async () => certificate,
  });
}
