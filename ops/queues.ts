// The queues: how many jobs wait, why some are dead letters, and what can be done about those.
import { z } from 'zod';
import { json } from '#ops/api/answer.ts';
import { limit, queueName } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
import type { MailAdmin } from './admin.ts';

type Deps = { readonly admin: MailAdmin };

const count = z.number();
const fault = z.object({ reason: z.string(), jobs: count, retryAt: z.string() });
const queueCounts = z.object({
  name: queueName,
  ready: count,
  delayed: count,
  inFlight: count,
  dead: count,
  oldestSeconds: count.nullable(),
  faults: z.array(fault),
});
const deadLetter = z.object({
  queue: queueName,
  id: z.string().nullable(),
  body: z.string(),
  reason: z.string(),
  receiveCount: count,
  diedAt: z.string(),
});

/** All queues. */
export const listQueues = useCase({
  about: 'the queues: how many jobs wait on each, and its dead letters',
  takes: {},
  gives: z.array(queueCounts),
  answer: async ({ admin }: Deps) => json(await admin.queues()),
});

/** Latest first. */
export const listDead = useCase({
  about: 'the dead letters of a queue, and why each failed',
  takes: { NAME: queueName, limit },
  gives: z.object({ queue: queueName, dead: z.array(deadLetter) }),
  answer: async ({ admin }: Deps, { NAME: queue, limit: most }) =>
    json({ queue, dead: await admin.deadLetters(queue, most) }),
});

/** Dead letters are put back on their queue; what waits for a fault of ours is tried at once, too. */
export const redriveDead = changeDead('redrive', 'redriven', 'put the dead letters of a queue back on it');

/** Dead letters are deleted; waiting jobs and messages stay. */
export const purgeDead = changeDead('purge', 'purged', 'delete the dead letters of a queue');

function changeDead(action: 'redrive' | 'purge', outcome: string, about: string) {
  return useCase({
    about,
    takes: { NAME: queueName },
    gives: z.object({ queue: queueName, outcome: z.literal(outcome), jobs: count }),
    answer: async ({ admin }: Deps, { NAME: queue }) => json({ queue, outcome, jobs: await admin[action](queue) }),
  });
}

/** The queues as Prometheus gauges. */
export async function queueMetrics(admin: MailAdmin): Promise<string> {
  const lines = ['# HELP pillarbox_queue_jobs Jobs on a queue, by state.', '# TYPE pillarbox_queue_jobs gauge'];
  const ages = [
    '# HELP pillarbox_queue_oldest_seconds How long the longest waiting job has been due.',
    '# TYPE pillarbox_queue_oldest_seconds gauge',
  ];
  for (const { name, oldestSeconds, ...counts } of await admin.queues()) {
    const states = { ready: counts.ready, delayed: counts.delayed, in_flight: counts.inFlight, dead: counts.dead };
    for (const [state, jobs] of Object.entries(states)) {
      lines.push(`pillarbox_queue_jobs{queue="${name}",state="${state}"} ${jobs}`);
    }
    ages.push(`pillarbox_queue_oldest_seconds{queue="${name}"} ${oldestSeconds ?? 0}`);
  }
  return `${[...lines, ...ages].join('\n')}\n`;
}
