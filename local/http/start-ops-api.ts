// The ops API and its page over node:http: limits, the guard, the table of routes, and answers written with the headers
// that keep a browser from doing anything with them that was not meant. An address is the connection's own: what a header
// says of others (X-Forwarded-For) is not read.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { type ConnectionRoom, httpBacklog, httpDeadlines, keepRoom } from '#container/limits/connection-room.ts';
import { type Answer, refusal } from '#ops/api/answer.ts';
import { createEventStream, type EventStream } from '#ops/api/event-stream.ts';
import type { OpsDeps } from '#ops/api/ops-deps.ts';
import { findRoute, type Route } from '#ops/api/routes.ts';
import { opsRoutes } from '#ops/api/server-routes.ts';
import { loadPage } from '#ops/console/page.ts';
import { isLoopbackHost } from '#pipeline/config/loopback-host.ts';
import { isDamagedBody } from '#pipeline/contract/stored-body.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import { tallyByAddress } from './address-tally.ts';
import { createGuard } from './guard.ts';
import { createWrongTokens, type WrongTokens } from './wrong-tokens.ts';

/** A running ops API; `close` ends its connections and resolves when the port is free. */
export type OpsApi = {
  readonly address: { readonly host: string; readonly port: number };
  readonly close: () => Promise<void>;
};

type Context = {
  readonly deps: OpsDeps;
  readonly routes: readonly Route[];
  readonly guard: ReturnType<typeof createGuard>;
  readonly wrongTokens: WrongTokens;
  readonly room: ConnectionRoom;
  readonly page: (pathname: string) => Answer | null;
  readonly events: EventStream;
};

const maxUrlLength = 4_096;
/** Connections beside those that listen to events. On loopback all of them are of one address. */
const maxConnections = 300;
const maxPerAddress = 100;
/** A connection on which nothing moves: a request that takes so long, or an answer that nobody reads. */
const stillMs = 60_000;
const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const;

/** Starts it. Throws where the port is taken, or where it would be open to others without a token. */
export async function startOpsApi(deps: OpsDeps): Promise<OpsApi> {
  const guard = createGuard({ host: deps.host, token: deps.token });
  const events = createEventStream(deps);
  const wrongTokens = createWrongTokens(deps);
  const page = await loadPage();
  const server = createServer({ maxHeaderSize: 16_384, ...httpDeadlines });
  server.setTimeout(stillMs);
  const { room, stopTelling } = makeRoom(server, deps);
  const context: Context = { deps, routes: opsRoutes(deps), guard, wrongTokens, room, page, events };
  server.on(
    'request',
    oneByOne((request, response) => respond(context, request, response)),
  );
  const port = await listen(server, deps);
  return {
    address: { host: deps.host, port },
    close: () =>
      new Promise((resolve) => {
        events.close();
        server.close(() => resolve());
        server.closeAllConnections();
        wrongTokens.close();
        stopTelling();
      }),
  };
}

function makeRoom(
  server: Server,
  { host, log, metrics }: OpsDeps,
): { readonly room: ConnectionRoom; readonly stopTelling: () => void } {
  const tally = tallyByAddress((ip, count) =>
    log.warn('ops-connections-closed', { clientIp: ip ?? 'other addresses', count }),
  );
  const limits = { total: maxConnections, perAddress: isLoopbackHost(host) ? maxConnections : maxPerAddress };
  const room = keepRoom(server, limits, (reason, ip) => {
    metrics.count('ops-connections-closed', { reason });
    tally.add(ip);
  });
  return { room, stopTelling: tally.stop };
}

function listen(server: Server, { host, port }: Pick<OpsDeps, 'host' | 'port'>): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: httpBacklog }, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

/** The requests of one connection, each after the answer to the one before: a connection has one in hand, like all others. */
function oneByOne(respond: (request: IncomingMessage, response: ServerResponse) => Promise<void>) {
  const inHand = new WeakMap<Socket, Promise<void>>();
  return (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    const before = inHand.get(socket) ?? Promise.resolve();
    inHand.set(
      socket,
      before.then(() => (socket.destroyed ? undefined : respond(request, response))),
    );
  };
}

async function respond(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { log } = context.deps;
  request.resume();
  try {
    const answer = await answerFor(context, request, response);
    if (answer !== 'taken') await write(answer, request, response);
  } catch (thrown) {
    if (response.destroyed) return; // the client went away
    log.error('ops-api-failed', { method: request.method, path: request.url?.slice(0, 200), ...errorFields(thrown) });
    if (response.headersSent) response.destroy();
    else await write(refusalOf(thrown), request, response);
  }
}

/** What is stored no more, or not as it was, is told as that; every other fault is the log's to explain. */
function refusalOf(thrown: unknown): Answer {
  if (!isDamagedBody(thrown)) return refusal(500, 'internal', 'this did not work; the log says why');
  return refusal(410, 'body-damaged', `${thrown.message}. Only a backup has it now`, { key: thrown.key });
}

async function answerFor(
  { deps, routes, guard, wrongTokens, room, page, events }: Context,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Answer | 'taken'> {
  const { method = 'GET', url = '/' } = request;
  if (url.length > maxUrlLength)
    return refusal(414, 'url-too-long', `a URL has at most ${maxUrlLength} characters here`);
  if (hasBody(request)) return { ...refusal(413, 'no-body', 'no request here takes a body'), closes: true };
  const verdict = guard({ method, headers: request.headers });
  if (verdict.outcome === 'refused') return verdict.answer;
  if (verdict.outcome === 'wrong-token') {
    room.hold(request.socket);
    return wrongTokens.answer(request.socket.remoteAddress ?? '');
  }
  room.prove(request.socket);
  const at = url.indexOf('?');
  const pathname = at < 0 ? url : url.slice(0, at);
  const query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
  const file = page(pathname);
  if (file !== null) return method === 'GET' || method === 'HEAD' ? file : wrongMethod(['GET', 'HEAD']);
  const match = findRoute(routes, method, pathname);
  if (match.found === 'nothing') return nothingThere(routes, pathname);
  if (match.found === 'other-methods') return wrongMethod(match.methods);
  if (match.route.answer !== 'stream') return match.route.answer({ parts: match.parts, query });
  if (method === 'HEAD') return { status: 200, headers: { 'content-type': 'text/event-stream' }, body: '' };
  if (!events.attach(response, securityHeaders)) return tooManyListeners();
  room.setApart(request.socket);
  deps.log.info('ops-events-listener');
  return 'taken';
}

function tooManyListeners(): Answer {
  const answer = refusal(503, 'too-many-listeners', 'too many listen to events already');
  return { ...answer, headers: { ...answer.headers, 'retry-after': '10' } };
}

/** A length of zero, as some clients send with POST, is no body; nor is the `{}` that others send. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 2;
}

function nothingThere(routes: readonly Route[], pathname: string): Answer {
  const paths = routes.map(({ method, path, about }) => `${method} ${path}: ${about}`);
  return refusal(404, 'not-found', `there is no ${pathname.slice(0, 200)} here`, { paths });
}

function wrongMethod(methods: readonly string[]): Answer {
  const answer = refusal(405, 'wrong-method', `only ${methods.join(', ')} here`);
  return { ...answer, headers: { ...answer.headers, allow: methods.join(', ') } };
}

async function write(answer: Answer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, headers, body, bytes } = answer;
  const isWhole = typeof body === 'string' || body instanceof Uint8Array;
  const length = isWhole ? Buffer.byteLength(body) : bytes;
  response.writeHead(status, {
    ...securityHeaders,
    ...headers,
    ...(length === undefined ? {} : { 'content-length': length }),
    ...(answer.closes ? { connection: 'close' } : {}),
  });
  if (isWhole) {
    response.end(request.method === 'HEAD' ? undefined : body);
    return;
  }
  if (request.method === 'HEAD') {
    await body[Symbol.asyncIterator]().return?.();
    response.end();
    return;
  }
  await pipeline(body, response);
}
