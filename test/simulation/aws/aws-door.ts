// The way of a request from a process to a service of AWS and back: what the SDK's clients are given in place of HTTPS. The request takes
// time to get there and the answer to come back; on either way it may be lost, and the process that asked may die.
import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { SimClock } from '#test/simulation/engine/clock.ts';
import { currentProcess, outside, type SimProcess } from '#test/simulation/engine/process.ts';
import type { Random } from '#test/simulation/engine/random.ts';
import type { ServiceFaults } from '#test/simulation/faults.ts';
import { isWithin } from '#test/simulation/faults.ts';

export type AwsRequest = {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
};
export type AwsAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
};

/** A service: how it answers, how it refuses, how it is named in the trace. */
export type Service = {
  readonly name: 's3' | 'sqs';
  readonly faults: ServiceFaults;
  readonly answer: (request: AwsRequest, process: SimProcess) => AwsAnswer;
  readonly refuse: (request: AwsRequest, why: 'busy' | 'conflict', process: SimProcess) => AwsAnswer;
  readonly describe: (request: AwsRequest) => string;
};

export type DoorWorld = {
  readonly clock: SimClock;
  readonly random: Random;
  readonly note: (line: string) => void;
  /** Whether faults befall anybody now, and that one did, which may have made a job fail. */
  readonly mayFail: () => boolean;
  readonly onFault: (what: string, request: AwsRequest) => void;
};

/** How long the SDK's handler waits for an answer (pipeline/aws/clients.ts). */
const requestTimeoutMs = 8_000;

type Outcome = 'answered' | 'refused' | 'doneButRefused' | 'lostBefore' | 'lostAfter' | 'conflict';

/** A client of the SDK that all simulated processes use: what it has read and put together is not made again for each of the many. */
export type SharedClient<Client> = {
  readonly client: Client;
  /** From now on the running process reaches this service with it, and has retries of its own. */
  readonly open: (world: DoorWorld, service: Service) => void;
};

/**
 * Makes one whose requests go to the simulated service; they are not signed. `first` sends any request: with it the SDK reads its files,
 * before any run, since in a run no time passes while a file is read.
 */
export async function shareClient<Client extends S3Client | SQSClient>(
  client: Client,
  first: (client: Client) => Promise<unknown>,
): Promise<SharedClient<Client>> {
  const ways = new WeakMap<SimProcess, { readonly world: DoorWorld; readonly service: Service; retries: object }>();
  const wayOf = () => {
    const process = currentProcess();
    const way = process === null ? undefined : ways.get(process);
    if (way === undefined) throw new Error('a request to AWS from no process');
    return way;
  };
  const signer = async () => ({ sign: async (request: unknown) => request });
  // A logger without `info`: what it would be told costs more than all the rest of a request.
  const logger = { warn: () => {}, error: () => {} };
  const empty = async () => ({ response: { statusCode: 200, headers: {}, body: Readable.from([]) } });
  Object.assign(client.config, { signer, logger, requestHandler: { handle: empty } });
  await first(client);
  const handle = async (request: AwsRequest): Promise<{ response: unknown }> => {
    const { world, service } = wayOf();
    return { response: await send(world, service, request) };
  };
  const unused = await client.config.retryStrategy();
  const retryStrategy = async () => wayOf().retries;
  Object.assign(client.config, { requestHandler: { handle }, retryStrategy, cacheMiddleware: true });
  return {
    client,
    open: (world, service) => {
      const process = currentProcess();
      if (process === null) throw new Error('a client for no process');
      // A copy counts its tokens by itself.
      const retries = Object.assign(Object.create(Object.getPrototypeOf(unused)), unused);
      ways.set(process, { world, service, retries });
    },
  };
}

function send(world: DoorWorld, service: Service, request: AwsRequest): Promise<unknown> {
  const process = currentProcess();
  if (process === null) throw new Error('a request to AWS from no process');
  const { clock, random, note } = world;
  const settled = Promise.withResolvers<unknown>();
  const fate = process.call();
  const outcome = drawOutcome(world, service, request);
  const [wayMs, backMs] = [random.between(1, service.faults.slowestMs), random.between(1, 5)];
  if (fate === 'die-before') {
    process.kill();
    return new Promise(() => {});
  }
  if (fate === 'die-after') clock.in(wayMs, () => outside(() => process.kill()));
  clock.in(wayMs, () => {
    const answer = effectOf(service, request, { outcome, process });
    const shown = answer === null ? 'no answer' : String(answer.status);
    note(`${process.name} ${service.describe(request)} ${shown}${outcome === 'answered' ? '' : ` (${outcome})`}`);
    if (outcome !== 'answered') world.onFault(`${service.name} ${outcome}`, request);
    const isReset = random.chance(0.5);
    clock.in(answer === null && !isReset ? requestTimeoutMs : backMs, () =>
      process.enter(() => {
        if (answer === null) settled.reject(isReset ? brokenConnection() : timedOut());
        else
          settled.resolve({
            statusCode: answer.status,
            headers: answer.headers,
            body: Readable.from([Buffer.from(answer.body)]),
          });
      }),
    );
  });
  return settled.promise;
}

function drawOutcome(world: DoorWorld, { faults }: Service, { method, headers }: AwsRequest): Outcome {
  const { random, clock, mayFail } = world;
  if (!mayFail()) return 'answered';
  if (isWithin(faults.outages, clock.now() - clock.startMs)) return random.pick(['refused', 'refused', 'lostBefore']);
  for (const outcome of ['refused', 'doneButRefused', 'lostBefore', 'lostAfter'] as const) {
    if (random.chance(faults[outcome])) return outcome;
  }
  const isConditional = method === 'PUT' && (headers['if-match'] ?? headers['if-none-match']) !== undefined;
  const mayConflict = isConditional || headers['x-amz-target']?.endsWith('Batch') === true;
  return mayConflict && random.chance(faults.conflict) ? 'conflict' : 'answered';
}

/** What comes of the request at the service; null: no answer leaves it. */
function effectOf(
  service: Service,
  request: AwsRequest,
  { outcome, process }: { readonly outcome: Outcome; readonly process: SimProcess },
): AwsAnswer | null {
  switch (outcome) {
    case 'answered':
      return service.answer(request, process);
    case 'refused':
      return service.refuse(request, 'busy', process);
    case 'conflict':
      return service.refuse(request, 'conflict', process);
    case 'doneButRefused':
      service.answer(request, process);
      return service.refuse(request, 'busy', process);
    case 'lostBefore':
      return null;
    case 'lostAfter':
      service.answer(request, process);
      return null;
  }
}

function timedOut(): Error {
  return Object.assign(new Error('no answer within 8 s'), { name: 'TimeoutError' });
}

function brokenConnection(): Error {
  return Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
}
