// Asks the ops API of a running server, or a deployment on AWS as if it were one, and tells what went wrong as a person
// would: not running, no token, not there.
import { z } from 'zod';
import { type Answered, askDeployment } from './ask-deployment.ts';
import { type CliArguments, type CliWorld, cliError, optionValue } from './command.ts';
import { runningServerUrl } from './running-server.ts';

const defaultUrl = 'http://127.0.0.1:8025';
const timeoutMs = 30_000;
const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** The options of every command that talks to a server. */
export const serverOptions = {
  url: {
    value: 'URL',
    about: `the server's ops API (default: the one started in this folder, or ${defaultUrl}; or PILLARBOX_URL)`,
  },
  token: { value: 'TOKEN', about: 'its token, where it needs one (better: PILLARBOX_TOKEN)' },
  stack: { value: 'NAME', about: 'ask the deployment of this name on AWS instead' },
  region: { value: 'REGION', about: 'where that is (default AWS_REGION, AWS_DEFAULT_REGION)' },
  endpoint: { value: 'URL', about: 'another S3 and SQS than those of AWS', hidden: true },
} as const;

type Asked = { readonly path: string; readonly method?: 'GET' | 'POST' | 'DELETE' };

/** Asks for `path`; answers the response's body. Throws a CliError for every refusal. */
export async function askServer(
  given: CliArguments,
  world: CliWorld,
  { path, method = 'GET' }: Asked,
): Promise<Buffer> {
  const isOnAws = optionValue(given, 'stack') !== null;
  const ask = isOnAws ? askDeployment : askHttp;
  const { isGood, status, body, who } = await ask(given, world, { path, method });
  if (isGood) return body;
  const said = errorSchema.safeParse(parseJson(body)).data?.error;
  if (said === undefined) throw cliError(`${who} answered ${status}: is that a Pillarbox server?`, 'odd-server');
  throw cliError(said.message, said.code);
}

async function askHttp(given: CliArguments, world: CliWorld, { path, method }: Required<Asked>): Promise<Answered> {
  for (const name of ['region', 'endpoint']) {
    if (optionValue(given, name) !== null) throw cliError(`--${name} goes with --stack NAME`, 'usage', 2);
  }
  const named = optionValue(given, 'url') ?? world.environment['PILLARBOX_URL'];
  const base = (named ?? (await runningServerUrl(world)) ?? defaultUrl).replace(/\/+$/, '');
  if (!URL.canParse(base) || !/^https?:/.test(base)) throw cliError(`not a URL: ${base}`, 'bad-url', 2);
  const token = optionValue(given, 'token') ?? world.environment['PILLARBOX_TOKEN'] ?? null;
  const response = await world
    .fetch(`${base}${path}`, {
      method,
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(timeoutMs),
    })
    .catch((thrown: unknown) => {
      throw cliError(
        `${notReached(thrown)} at ${base}. Start it with "npm start", or name another with --url.`,
        'no-server',
      );
    });
  return {
    isGood: response.ok,
    status: response.status,
    body: Buffer.from(await response.arrayBuffer()),
    who: base,
  };
}

/** The same, as JSON of a known shape. */
export async function askServerJson<Shape extends z.ZodType>(
  given: CliArguments,
  world: CliWorld,
  request: Asked & { readonly shape: Shape },
): Promise<z.output<Shape>> {
  const parsed = request.shape.safeParse(parseJson(await askServer(given, world, request)));
  if (parsed.success) return parsed.data;
  throw cliError(`the server's answer to ${request.path} is not understood: is it of another version?`, 'odd-server');
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
}

function notReached(thrown: unknown): string {
  const isLate = thrown instanceof Error && thrown.name === 'TimeoutError';
  return isLate ? 'no answer from the server' : 'no server is running';
}
