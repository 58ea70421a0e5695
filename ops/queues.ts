// The queues: how many jobs wait, why some are dead letters, and what can be done about those.
import { z } from 'zod';
import { json } from '#ops/api/answer.ts';
import { limit, queueName } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
import { deadLetterSchema, type MailAdmin, queueCountsSchema } from './admin.ts';

type Deps = { readonly admin: MailAdmin };

export const listQueues = useCase({
  about: 'the queues: how many jobs wait on each, and its dead letters',
  takes: {},
  gives: z.array(queueCountsSchema),
  answer: async ({ admin }: Deps) => json(await admin.queues()),
});

/** Latest first. */
export const listDead = useCase({
  about: 'the dead letters of a queue, and why each failed',
  takes: { NAME: queueName, limit },
  gives: z.object({ queue: queueName, dead: z.array(deadLetterSchema) }),
  answer: async ({ admin }: Deps, { NAME: queue, limit: most }) =>
    json({ queue, dead: await admin.deadLetters(queue, most) }),
});

/** The jobs that wait for an own fault are tried at once, too. */
export const redriveDead = changeDead('redrive', 'redriven', 'put the dead letters of a queue back on it');

/** Waiting jobs and messages stay. */
export const purgeDead = changeDead('purge', 'purged', 'delete the dead letters of a queue');

function changeDead(action: 'redrive' | 'purge', outcome: string, about: string) {
  return useCase({
    about,
    takes: { NAME: queueName },
    gives: z.object({ queue: queueName, outcome: z.literal(outcome), jobs: z.number() }),
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
