// Asks the ops API of a running server, and tells what went wrong as a person would: not running, no token, not there.
import { z } from 'zod';
import { type CliArguments, type CliWorld, cliError, optionValue } from './command.ts';

const defaultUrl = 'http://127.0.0.1:8025';
const timeoutMs = 30_000;
const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** The options of every command that talks to a server. */
export const serverOptions = {
  url: { value: 'URL', about: `the server's ops API (default ${defaultUrl}; or PILLARBOX_URL)` },
  token: { value: 'TOKEN', about: 'its token, where it needs one (better: PILLARBOX_TOKEN)' },
} as const;

/** Asks for `path`; answers the response's body. Throws a CliError for every refusal. */
export async function askServer(
  given: CliArguments,
  world: CliWorld,
  { path, method = 'GET' }: { readonly path: string; readonly method?: 'GET' | 'POST' | 'DELETE' },
): Promise<Buffer> {
  const base = (optionValue(given, 'url') ?? world.environment['PILLARBOX_URL'] ?? defaultUrl).replace(/\/+$/, '');
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
  const body = Buffer.from(await response.arrayBuffer());
  if (response.ok) return body;
  const said = errorSchema.safeParse(parseJson(body)).data?.error;
  if (said === undefined)
    throw cliError(`${base} answered ${response.status}: is that a Pillarbox server?`, 'odd-server');
  throw cliError(said.message, said.code);
}

/** The same, as JSON of a known shape. */
export async function askServerJson<Shape extends z.ZodType>(
  given: CliArguments,
  world: CliWorld,
  request: { readonly path: string; readonly method?: 'GET' | 'POST' | 'DELETE'; readonly shape: Shape },
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
