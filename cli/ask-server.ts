// Requests to the ops API of a running server: the one that is named, or was started in this folder. Failures become sentences for the user.
import { z } from 'zod';
import { errorMessage } from '#mail/problem.ts';
import { apiHeader, apiVersion } from '#ops/api/api-version.ts';
import {
  type CliArguments,
  type CliError,
  type CliWorld,
  cliError,
  optionValue,
  plain,
  refusalError,
} from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { dataOption, namedServer } from './running-server.ts';

const defaultUrl = 'http://127.0.0.1:8025';
const usualTimeoutMs = 30_000;

/** How a command is told which server. */
export const serverOptions = {
  url: {
    value: 'URL',
    about: `the server's ops API (default: the one started in this folder, or ${defaultUrl}; or PILLARBOX_URL)`,
  },
  token: { value: 'TOKEN', about: 'its token, if it needs one (better: PILLARBOX_TOKEN)' },
  ...dataOption,
} as const;

/** `url`: path and query. `json`: the body. `timeoutMs`: until all of the answer is there, 30 s unless given. */
export type ServerRequest = {
  readonly method: string;
  readonly url: string;
  readonly json?: unknown;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

/**
 * The server's response, whatever its status. `who`: its URL. Rejects with a CliError if it does not answer (`no-server`), or is none of ours
 * (`odd-server`).
 */
export async function requestServer(
  given: CliArguments,
  world: Pick<CliWorld, 'directory' | 'environment' | 'fetch'>,
  { method, url, json, timeoutMs = usualTimeoutMs, signal }: ServerRequest,
): Promise<{ readonly response: Response; readonly who: string }> {
  const named = optionValue(given, 'url') ?? world.environment['PILLARBOX_URL'];
  const base = (named ?? (await namedServer(given, world))?.http ?? defaultUrl).replace(/\/+$/, '');
  if (!URL.canParse(base) || !/^https?:/.test(base))
    throw cliError(`${plain(base)} is no URL of a server: expected http://HOST:PORT`, 'bad-url');
  const token = optionValue(given, 'token') ?? world.environment['PILLARBOX_TOKEN'] ?? null;
  const timeout = AbortSignal.timeout(timeoutMs);
  const response = await world
    .fetch(`${base}${url}`, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    })
    .catch((thrown: unknown) => {
      if (signal?.aborted) throw thrown;
      throw noServer(given, base, thrown);
    });
  await refuseOther(response, base);
  return { response, who: base };
}

/** Whatever answers there may say anything with any status: nothing of it is shown. */
async function refuseOther({ headers, status, body }: Response, base: string): Promise<void> {
  const spoken = headers.get(apiHeader);
  if (spoken === apiVersion) return;
  await body?.cancel();
  if (spoken !== null) {
    const versions = `it has version ${plain(spoken).slice(0, 20)} of the API, and this command line needs ${apiVersion}`;
    throw cliError(`the Pillarbox server at ${base} is of another version: ${versions}`, 'odd-server');
  }
  const kind = plain(headers.get('content-type') ?? 'no content type').slice(0, 80);
  const what = `what answers at ${base} is not Pillarbox, or too old a version of it (status ${status}, ${kind})`;
  throw cliError(`${what}: name the server with --url`, 'odd-server');
}

/** What a request, or the reading of its answer, failed with, as a sentence. */
export function noServer({ self }: Pick<CliArguments, 'self'>, base: string, thrown: unknown): CliError {
  const start = `Start it with "${self}", or name another with --url.`;
  return cliError(`${whyNoAnswer(thrown)} at ${base}. ${start}`, 'no-server');
}

/** `fetch` says in the cause what it was. */
function whyNoAnswer(thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'no server is running';
  if (thrown.name === 'TimeoutError') return 'no answer from the server';
  const { cause } = thrown;
  const isRefused = !(cause instanceof Error) || ('code' in cause && cause.code === 'ECONNREFUSED');
  return isRefused ? 'no server is running' : `no Pillarbox server answers (${errorMessage(cause)})`;
}

const tokenPlace =
  'set PILLARBOX_TOKEN to it; unless it was set there too, the server keeps it in secrets/ops-token of its data folder';

const refusalSchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), parameter: z.string().optional() }),
});

/** What a refusal says; null if it is none. */
function saidIn(body: Uint8Array) {
  return refusalSchema.safeParse(parseJson(body)).data?.error ?? null;
}

/** The same of a command line: its options are the parameters that the server finds wrong. */
export function refusedTyped(who: string, status: number, body: Uint8Array): CliError {
  const said = saidIn(body);
  if (said?.code !== 'bad-parameter') return refusedBy(who, status, body);
  const { code, message, parameter = '' } = said;
  const isOption = /^[a-z-]+$/.test(parameter) && message.startsWith(`${parameter}:`);
  return refusalError(isOption ? `--${message}` : message, code, exitCodes.wrongUse);
}

/** A refusal of the ops API, with its code. */
export function refusedBy(who: string, status: number, body: Uint8Array): CliError {
  const said = saidIn(body);
  if (said === null) return cliError(`${who} answered ${status}: is that a Pillarbox server?`, 'odd-server');
  if (said.code !== 'token-needed') return refusalError(said.message, said.code);
  return refusalError(`${who} wants its token, or another one: ${tokenPlace}`, said.code);
}

/** The value of JSON text; null if it is none. */
export function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return null;
  }
}

/** An answer that has not the form it should have. */
export function oddAnswer(): CliError {
  return cliError(`the server's answer is not understood: is it of another version?`, 'odd-server');
}
