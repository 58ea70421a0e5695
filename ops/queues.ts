// The queues: how many jobs wait, why some were given up, and what can be done about those.

import { type Answer, isAnswer, json } from '#ops/api/answer.ts';
import { readLimit, readQuery, readQueue } from '#ops/api/parameters.ts';
import type { MailAdmin } from './admin.ts';

/** `GET /api/queues` */
export async function listQueues(admin: MailAdmin, query: URLSearchParams): Promise<Answer> {
  const given = readQuery(query, []);
  return isAnswer(given) ? given : json(await admin.queues());
}

/** `GET /api/queues/NAME/dead?limit=`: what was given up, latest first, and why. */
export async function listDead(
  admin: MailAdmin,
  { name, query }: { readonly name: string | undefined; readonly query: URLSearchParams },
): Promise<Answer> {
  const queue = readQueue(name);
  if (isAnswer(queue)) return queue;
  const given = readQuery(query, ['limit']);
  if (isAnswer(given)) return given;
  const limit = readLimit(given['limit']);
  if (isAnswer(limit)) return limit;
  return json({ queue, dead: await admin.deadLetters(queue, limit) });
}

/** `POST /api/queues/NAME/redrive` and `…/purge`: dead letters are tried again, or thrown away. */
export async function changeDead(
  admin: MailAdmin,
  {
    name,
    action,
    query,
  }: { readonly name: string | undefined; readonly action: 'redrive' | 'purge'; readonly query: URLSearchParams },
): Promise<Answer> {
  const queue = readQueue(name);
  if (isAnswer(queue)) return queue;
  const given = readQuery(query, []);
  if (isAnswer(given)) return given;
  return json({ queue, outcome: action === 'redrive' ? 'redriven' : 'purged', jobs: await admin[action](queue) });
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
