// An HTTP server that answers S3 and SQS requests as a script says, and remembers them.
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { after } from 'node:test';

export type SeenRequest = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
};
/** `reset`: the connection is dropped instead of an answer; `silence`: no answer ever. */
export type ScriptedAnswer =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  | 'reset'
  | 'silence';

/** Answers each request by `answer`, given how many came before it. */
export async function scriptedAws(answer: (request: SeenRequest, n: number) => ScriptedAnswer) {
  const seen: SeenRequest[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = '', url = '', headers } = request;
    const one = { method, url, headers, body: Buffer.concat(chunks) };
    const given = answer(one, seen.push(one) - 1);
    if (given === 'silence') return;
    if (given === 'reset') {
      request.socket.resetAndDestroy();
      return;
    }
    response.writeHead(given.status, given.headers).end(given.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return { place: { region: 'us-east-1', endpoint: `http://127.0.0.1:${port}` }, seen };
}
