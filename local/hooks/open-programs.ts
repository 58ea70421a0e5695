// The programs of hooks on one machine: commands as they are, and modules, each called in a process of its own, so that a handler that
// never ends, ends the process or takes all memory fails its own job alone.
import { extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { ModuleAnswer, Programs } from '#functions/notify/judge-program.ts';
import { standIns } from '#functions/notify/lambda-event.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';
import { createPrograms, type ProgramAnswer } from './run-program.ts';
import { serveObjects } from './serve-objects.ts';

const modulePath = fileURLToPath(new URL(`./module-process${extname(import.meta.url)}`, import.meta.url));

/** What the process of a module writes when its handler is done, or when it takes too much memory. */
const resultSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('answered'), answer: z.unknown().optional() }),
  z.object({ kind: z.literal('threw'), error: z.string() }),
  z.object({ kind: z.literal('failed'), reason: z.string() }),
]);

export type OpenPrograms = Programs & { readonly close: () => void };

/** `directory`: where programs are run, and what the path of a module is below. `store`: what a handler may read mail of. */
export function openPrograms(options: {
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly store: Pick<ObjectStore, 'get'>;
}): OpenPrograms {
  const { directory, store } = options;
  const programs = createPrograms(options);
  const objects = serveObjects({ store, bucket: standIns.bucket });
  return {
    runCommand: async ({ hook, variables: given, ...program }) => {
      const { answer } = await programs.run({ ...program, variables: { ...given, PILLARBOX_HOOK: hook } });
      return answer;
    },
    callModule: async ({ hook, module, input, timeoutMs, variables: given }) => {
      const { region, account } = standIns;
      const functionArn = `arn:aws:lambda:${region}:${account}:function:${hook}`;
      const argv = [process.execPath, modulePath, resolve(directory, module), functionArn, String(timeoutMs)];
      const variables = { ...lambdaVariables(await objects.endpoint()), ...given, PILLARBOX_HOOK: hook };
      return moduleAnswer(await programs.run({ argv, input, timeoutMs, variables }));
    },
    close: () => {
      programs.close();
      objects.close();
    },
  };
}

/** What a function has in its environment, with S3 being the mail of this machine. */
function lambdaVariables(endpoint: string): Readonly<Record<string, string>> {
  return {
    TZ: 'UTC',
    AWS_REGION: standIns.region,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_ENDPOINT_URL_S3: endpoint,
  };
}

function moduleAnswer({ answer, result: text }: ProgramAnswer): ModuleAnswer {
  if (answer.kind === 'failed' || text === '') return answer;
  const read = resultSchema.safeParse(parseJson(text));
  if (!read.success) return { kind: 'failed', reason: 'its answer is over 6 MB, more than Lambda takes' };
  const result = read.data;
  return result.kind === 'answered' ? { kind: 'answered', answer: result.answer, output: answer.output } : result;
}

/** Undefined if it is cut. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
