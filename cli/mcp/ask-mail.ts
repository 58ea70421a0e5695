// What tools ask of the server: JSON of a form, or bytes as far as they are wanted. The server is found anew for each request, so it may be
// started after the agent.
import type { z } from 'zod';
import { noServer, oddAnswer, parseJson, refusedBy, requestServer } from '#cli/ask-server.ts';
import { type CliArguments, type CliWorld, cliError } from '#cli/command.ts';

/** `query`: what is null or undefined is left out. */
export type MailRequest = {
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | null | undefined>>;
  readonly method?: 'GET' | 'POST';
  readonly json?: unknown;
  readonly timeoutMs?: number;
};

/** Both reject with a CliError: `no-server`, or the code of the refusal. */
export type AskMail = {
  /** How a person starts this program. */
  readonly self: string;
  readonly json: <Shape extends z.ZodType>(reads: Shape, request: MailRequest) => Promise<z.output<Shape>>;
  /** `url`: the same for other programs. What is not read of the bytes is not sent. */
  readonly bytes: (
    request: MailRequest,
  ) => Promise<{ readonly url: string; readonly pieces: AsyncIterable<Uint8Array> }>;
};

/** Longer JSON is none of ours: a message with all its texts has less than 3 MB. */
const mostJsonBytes = 16_777_216;

/** Asks on behalf of one call, until `signal` ends it. */
export function askMail(
  given: CliArguments,
  world: Pick<CliWorld, 'directory' | 'environment' | 'fetch'>,
  signal: AbortSignal,
): AskMail {
  const open = async (request: MailRequest) => {
    const url = urlOf(request);
    const { method = 'GET', json, timeoutMs } = request;
    const asked = { method, url, signal, ...(json === undefined ? {} : { json }) };
    const { response, who } = await requestServer(
      given,
      world,
      timeoutMs === undefined ? asked : { ...asked, timeoutMs },
    );
    const pieces = piecesOf(response, { given, who }, signal);
    if (response.status >= 400) throw refusedBy(who, response.status, await readAll(pieces));
    return { url: `${who}${url}`, pieces };
  };
  return {
    self: given.self,
    json: async (reads, request) => {
      const { pieces } = await open(request);
      const read = reads.safeParse(parseJson(await readAll(pieces)));
      if (!read.success) throw oddAnswer();
      return read.data;
    },
    bytes: open,
  };
}

function urlOf({ path, query = {} }: MailRequest): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value != null) given.set(name, String(value));
  return given.size === 0 ? path : `${path}?${given}`;
}

type Asked = { readonly given: CliArguments; readonly who: string };

async function* piecesOf({ body }: Response, { given, who }: Asked, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  try {
    yield* body;
  } catch (thrown) {
    throw signal.aborted ? thrown : noServer(given, who, thrown);
  }
}

async function readAll(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const read: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    read.push(piece);
    bytes += piece.byteLength;
    if (bytes > mostJsonBytes) throw cliError(`the server's answer has more than ${mostJsonBytes} bytes`, 'odd-server');
  }
  return Buffer.concat(read);
}
