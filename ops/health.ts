// The health of the running service: for people, for monitors, and for Prometheus.
import { z } from 'zod';
import { json } from '#ops/api/answer.ts';
import { type UseCase, useCase } from '#ops/api/use-case.ts';
import type { Clock } from '#pipeline/contract/ports.ts';
import type { OpsAdmin } from './admin.ts';
import { queueMetrics } from './queues.ts';

/** `problems` are sentences; `ok` false makes `/health` a 503. `details` is shown as it is. */
export type Health = {
  readonly ok: boolean;
  readonly mode: 'serve' | 'capture';
  readonly problems: readonly string[];
  readonly details: Readonly<Record<string, unknown>>;
};

type HealthDeps = { readonly health: () => Health | Promise<Health>; readonly clock: Clock };
type MetricsDeps = { readonly metricsText: () => string; readonly admin: OpsAdmin };

const healthSchema = z.looseObject({
  status: z.enum(['ok', 'degraded', 'failing']),
  problems: z.array(z.string()),
  now: z.string(),
  mode: z.enum(['serve', 'capture']),
});

/** 503 if the service fails. */
export const showHealth = useCase({
  about: 'whether all is well',
  takes: {},
  gives: healthSchema,
  others: { 503: healthSchema },
  answer: async ({ health, clock }: HealthDeps) => {
    const { ok, problems, mode, details } = await health();
    const status = ok ? (problems.length === 0 ? 'ok' : 'degraded') : 'failing';
    return json({ status, problems, now: new Date(clock()).toISOString(), mode, ...details }, ok ? 200 : 503);
  },
});

const prometheus = 'text/plain; version=0.0.4; charset=utf-8';

/** Takes any parameters: a Prometheus may send some. */
export const showMetrics: UseCase<MetricsDeps> = {
  about: 'figures for Prometheus',
  takes: null,
  gives: prometheus,
  status: 200,
  answer: async ({ metricsText, admin }) => {
    const text = metricsText();
    const lineEnd = text === '' || text.endsWith('\n') ? '' : '\n';
    const body = `${text}${lineEnd}${await queueMetrics(admin)}`;
    return { status: 200, headers: { 'content-type': prometheus }, body };
  },
};
