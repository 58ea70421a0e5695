// Searches of CloudWatch Logs (Logs Insights): a search is started, and asked for its results until it is done.
import { setTimeout as passing } from 'node:timers/promises';
import { z } from 'zod';
import type { AwsPlace } from '#pipeline/aws/clients.ts';
import { createAsker } from './ask-service.ts';

/** Times in milliseconds since 1970, both ends included; the service looks at whole seconds. */
export type LogQuery = {
  readonly groups: readonly string[];
  readonly query: string;
  readonly fromMs: number;
  readonly toMs: number;
};

/** A line, and when it was logged (ISO 8601, UTC). */
export type LogRow = { readonly at: string; readonly message: string };

/** `running`: `rows` are those found so far. */
export type LogResults = { readonly isRunning: boolean; readonly status: string; readonly rows: readonly LogRow[] };

/** All throw an Error named as AWS names it (`MalformedQueryException`). What is throttled is tried again a few times. */
export type LogSearch = {
  /** The log groups that a saved query of this name looks at; null if there is no such query. */
  readonly groupsOf: (savedQuery: string) => Promise<readonly string[] | null>;
  /** The query must give `@timestamp` and `@message`. Answers the search's own id. */
  readonly start: (query: LogQuery) => Promise<string>;
  readonly results: (searchId: string) => Promise<LogResults>;
};

const definitionsSchema = z.object({
  queryDefinitions: z
    .array(
      z.object({
        name: z.string(),
        lastModified: z.number().default(0),
        logGroupNames: z.array(z.string()).default([]),
      }),
    )
    .default([]),
});
const startedSchema = z.object({ queryId: z.string() });
const resultsSchema = z.object({
  status: z.string(),
  results: z.array(z.array(z.object({ field: z.string(), value: z.string().default('') }))).default([]),
});

const triesWhenThrottled = 4;
const firstPauseMs = 200;

/** The log of the place's region. `pause`: for so many milliseconds. */
export function createLogSearch(place: AwsPlace, pause: (ms: number) => Promise<unknown> = passing): LogSearch {
  const ask = createAsker(place, { host: 'logs', name: 'logs' });
  const call = async (operation: string, input: object): Promise<unknown> => {
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `Logs_20140328.${operation}` };
    for (let tries = 1; ; tries += 1) {
      try {
        return await ask({ method: 'POST', path: '/', headers, body: JSON.stringify(input) });
      } catch (thrown) {
        const isPassing = thrown instanceof Error && /Throttling|ServiceUnavailable/.test(thrown.name);
        if (!isPassing || tries === triesWhenThrottled) throw thrown;
        await pause(firstPauseMs * 2 ** tries);
      }
    }
  };
  return {
    groupsOf: async (savedQuery) => {
      const answer = await call('DescribeQueryDefinitions', { queryDefinitionNamePrefix: savedQuery });
      const named = definitionsSchema.parse(answer).queryDefinitions.filter(({ name }) => name === savedQuery);
      // Two may have one name: the latest is the one that was deployed last.
      return named.sort((a, b) => b.lastModified - a.lastModified)[0]?.logGroupNames ?? null;
    },
    start: async ({ groups, query, fromMs, toMs }) => {
      const [startTime, endTime] = [Math.floor(fromMs / 1_000), Math.ceil(toMs / 1_000)];
      const input = { logGroupNames: groups, queryString: query, startTime, endTime };
      return startedSchema.parse(await call('StartQuery', input)).queryId;
    },
    results: async (queryId) => {
      const { status, results } = resultsSchema.parse(await call('GetQueryResults', { queryId }));
      const rows = results.map((fields): LogRow => {
        const of = (name: string): string => fields.find(({ field }) => field === name)?.value ?? '';
        return { at: `${of('@timestamp').replace(' ', 'T')}Z`, message: of('@message') };
      });
      return { isRunning: /^(?:Scheduled|Running|Unknown)$/.test(status), status, rows };
    },
  };
}
