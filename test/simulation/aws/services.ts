// S3 and SQS as services behind their doors: what they answer to a process of a role, how they refuse, how the trace names a request.
import type { Random } from '#test/simulation/engine/random.ts';
import type { Faults } from '#test/simulation/faults.ts';
import type { AwsRequest, Service } from './aws-door.ts';
import { failure, type SimS3 } from './sim-s3.ts';
import type { SimQueue } from './sim-sqs.ts';
import { answerSqs, describeSqs, hiddenQueue, refuseSqs } from './sqs-requests.ts';

/** The bucket. */
export function s3Service(s3: SimS3, faults: Faults): Service {
  return {
    name: 's3',
    faults: faults.s3,
    answer: (request, { name }) => s3.answer(request, roleOf(name)),
    refuse: (_, why) => (why === 'conflict' ? failure(409, 'ConditionalRequestConflict') : failure(503, 'SlowDown')),
    describe: ({ method, path }) => `${method} ${decodeURIComponent(path).replace('/mail/', '')}`,
  };
}

/** The queues. */
export function sqsService(queues: ReadonlyMap<string, SimQueue>, faults: Faults, random: Random): Service {
  return {
    name: 'sqs',
    faults: faults.sqs,
    answer: (request, { name }) => answerSqs(queues, request, roleOf(name)),
    refuse: (request, _, { name }) => refuseSqs(queues, request, { by: roleOf(name), random }),
    describe: describeSqs,
  };
}

/** Processes are called `<role>-<n>`. */
function roleOf(name: string): string {
  return name.replace(/-\d+$/, '');
}

/** If a job that failed cannot be made to come back soon, it comes back when its visibility timeout ends. */
export function hiddenBy(request: AwsRequest, queues: ReadonlyMap<string, SimQueue>): number {
  const queue = hiddenQueue(request);
  return queue === null ? 0 : (queues.get(queue)?.visibilityMs ?? 0);
}
