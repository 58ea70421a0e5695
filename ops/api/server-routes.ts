// The ops API at a glance: what can be asked about mail in any world (ops/api/routes.ts), and how this process is doing.

import { queueMetrics } from '#ops/queues.ts';
import { type Answer, isAnswer, json } from './answer.ts';
import type { OpsDeps } from './ops-deps.ts';
import { readQuery } from './parameters.ts';
import { get, mailRoutes, type Route } from './routes.ts';

/** All routes of the API. */
export function opsRoutes(deps: OpsDeps): readonly Route[] {
  return [
    get('/health', 'whether all is well', async ({ query }) => health(deps, query)),
    get('/metrics', 'figures for Prometheus', async () => metrics(deps)),
    ...mailRoutes(deps),
    get('/api/activity', 'how much came and went in each minute of the last day', async ({ query }) => {
      const given = readQuery(query, []);
      return isAnswer(given) ? given : json(deps.activity());
    }),
    { method: 'GET', path: '/api/events', about: 'new mail as it lands (server-sent events)', answer: 'stream' },
  ];
}

async function health({ health: ask, clock }: OpsDeps, query: URLSearchParams): Promise<Answer> {
  const given = readQuery(query, []);
  if (isAnswer(given)) return given;
  const { ok, problems, details } = await ask();
  const status = ok ? (problems.length === 0 ? 'ok' : 'degraded') : 'failing';
  return json({ status, problems, now: new Date(clock()).toISOString(), ...details }, ok ? 200 : 503);
}

async function metrics({ metricsText, admin }: OpsDeps): Promise<Answer> {
  const text = metricsText();
  return {
    status: 200,
    headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
    body: `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${await queueMetrics(admin)}`,
  };
}
