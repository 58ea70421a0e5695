// How many jobs stand in one message of a queue on AWS (pipeline/aws/pack.ts).
import type { QueueName, Stage } from './stages.ts';

/** Those that one invocation sends to the queue leave together: as many as an invocation of the stage that reads it may get. */
const several: Partial<Record<QueueName, number>> = { parse: 6 };

/** The jobs of a message at most. */
export function jobsPerMessage(queue: QueueName): number {
  return several[queue] ?? 1;
}

/** How many messages an invocation gets at most: together they hold no more than `batchSize` jobs. */
export function messagesAtOnce({ batchSize, consumes }: Pick<Stage, 'batchSize' | 'consumes'>): number {
  return Math.max(1, Math.floor(batchSize / jobsPerMessage(consumes)));
}
