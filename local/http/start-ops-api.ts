// The ops API and its page over node:http: limits, the guard, and answers written with headers that keep a browser from
// running what a sender wrote. The client's address is that of the connection: X-Forwarded-For is not read.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { type ConnectionRoom, httpBacklog, httpDeadlines, keepRoom } from '#container/limits/connection-room.ts';
import { builtConsole } from '#local/console/console-files.ts';
import { isLoopbackHost } from '#mail/address/loopback.ts';
import { type Answer, closing, refusal } from '#ops/api/answer.ts';
import { apiHeader, apiVersion } from '#ops/api/api-version.ts';
import { createEventStream } from '#ops/api/event-stream.ts';
import { createOpsApp, type OpsApp } from '#ops/api/ops-app.ts';
import { serviceRoutes } from '#ops/api/routes.ts';
import { consoleRoutes } from '#ops/console/page.ts';
import type { ServiceDeps } from '#ops/deps.ts';
import { mailhogRoutes } from '#ops/mailpit/mailhog.ts';
import { mailpitRoutes } from '#ops/mailpit/mailpit-routes.ts';
import { createMessageWaiters } from '#ops/messages/message-waiters.ts';
import type { Log, Metrics } from '#pipeline/contract/ports.ts';
import { isDamagedBody } from '#pipeline/contract/stored-body.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import { tallyByAddress } from './address-tally.ts';
import { createGuard } from './guard.ts';
import { bodyOf, createRequestBodies, type RequestBodies } from './request-bodies.ts';
import { createWrongTokens, type WrongTokens } from './wrong-tokens.ts';

/** A running ops API; `close` ends its connections and resolves when the port is free. */
export type OpsApi = {
  readonly address: { readonly host: string; readonly port: number };
  readonly close: () => Promise<void>;
};

/** `token`: needed from every request if it is given; it must be given off loopback. */
export type OpsApiDeps = Omit<ServiceDeps, 'events' | 'waiters' | 'clientSupport'> & {
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'count'>;
  readonly host: string;
  readonly port: number;
  readonly token?: string | undefined;
};

type Context = {
  readonly app: OpsApp;
  readonly guard: ReturnType<typeof createGuard>;
  readonly wrongTokens: WrongTokens;
  readonly room: ConnectionRoom;
  readonly bodies: RequestBodies;
  readonly log: Log;
};

const maxUrlLength = 4_096;
/** Connections beside those that listen to events. On loopback all of them are of one address. */
const maxConnections = 300;
const maxPerAddress = 100;
/** A connection over which nothing is sent or read for so long is closed. */
const stillMs = 75_000;
const usualHeaders = {
  [apiHeader]: apiVersion,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const;

/** Throws if the port is taken, or if it would be open to others without a token. */
export async function startOpsApi(deps: OpsApiDeps): Promise<OpsApi> {
  const guard = createGuard({ host: deps.host, token: deps.token });
  const events = createEventStream(deps);
  const waiters = createMessageWaiters(deps);
  const wrongTokens = createWrongTokens(deps);
  const { files, clientSupport } = await builtConsole();
  const pages = consoleRoutes(files);
  const all = { ...deps, events, waiters, clientSupport };
  const foreign = { ask: createOpsApp(all, serviceRoutes) };
  const app = createOpsApp({ ...all, ...foreign }, [...serviceRoutes, ...mailpitRoutes, ...mailhogRoutes, ...pages]);
  const server = createServer({ maxHeaderSize: 16_384, ...httpDeadlines });
  server.setTimeout(stillMs);
  const { room, stopTally } = makeRoom(server, deps);
  const context: Context = { app, guard, wrongTokens, room, bodies: createRequestBodies(), log: deps.log };
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
        stopTally();
      }),
  };
}

function makeRoom(
  server: Server,
  { host, log, metrics }: OpsApiDeps,
): { readonly room: ConnectionRoom; readonly stopTally: () => void } {
  const tally = tallyByAddress((ip, count) =>
    log.warn('ops-connections-closed', { clientIp: ip ?? 'other addresses', count }),
  );
  const limits = { total: maxConnections, perAddress: isLoopbackHost(host) ? maxConnections : maxPerAddress };
  const room = keepRoom(server, limits, (reason, ip) => {
    metrics.count('ops-connections-closed', { reason });
    tally.add(ip);
  });
  return { room, stopTally: tally.stop };
}

function listen(server: Server, { host, port }: Pick<OpsApiDeps, 'host' | 'port'>): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: httpBacklog }, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

/** Answers the requests of one connection one after another, however many it sends at once. */
function oneByOne(respond: (request: IncomingMessage, response: ServerResponse) => Promise<void>) {
  const last = new WeakMap<Socket, Promise<void>>();
  return (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    const before = last.get(socket) ?? Promise.resolve();
    last.set(
      socket,
      before.then(() => (socket.destroyed ? undefined : respond(request, response))),
    );
  };
}

async function respond(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    const answer = await answerFor(context, request, gone.signal);
    request.resume();
    await write(context, { request, response, answer });
  } catch (thrown) {
    if (isClientGone(thrown)) return;
    const { method, url } = request;
    context.log.error('ops-api-failed', { method, path: url?.slice(0, 200), ...errorFields(thrown) });
    if (response.headersSent) response.destroy();
    else await write(context, { request, response, answer: refusalOf(thrown) });
  }
}

/** It closed its connection, or is a listener that was cut off because it does not read. */
function isClientGone(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  return thrown.name === 'AbortError' || ('code' in thrown && thrown.code === 'ERR_STREAM_PREMATURE_CLOSE');
}

/** A damaged body is named; for every other fault the log has the cause. */
function refusalOf(thrown: unknown): Answer {
  if (!isDamagedBody(thrown)) return refusal(500, 'internal', 'this did not work; the log says why');
  return refusal(410, 'body-damaged', `${thrown.message}. Only a backup has it now`, { key: thrown.key });
}

/** Mailpit's page listens by WebSocket. What may be upgraded otherwise (`h2c`) is answered as it is. */
const noUpgrade = closing(
  refusal(501, 'no-upgrade', 'no WebSocket: /api/events are server-sent events; ask without Upgrade'),
);

async function answerFor(context: Context, request: IncomingMessage, gone: AbortSignal): Promise<Answer> {
  const { app, guard, wrongTokens, room, bodies } = context;
  const { method = 'GET', url = '/', headers, socket } = request;
  const from = socket.remoteAddress ?? '';
  if (url.length > maxUrlLength)
    return refusal(414, 'url-too-long', `a URL has at most ${maxUrlLength} characters here`);
  const sent = bodyOf(request);
  if (sent === 'none') request.resume();
  const verdict = guard({ method, headers });
  if (verdict.outcome === 'refused') return sent === 'some' ? closing(verdict.answer) : verdict.answer;
  if (verdict.outcome === 'wrong-token') {
    room.hold(socket);
    return wrongTokens.answer(from);
  }
  room.prove(socket);
  if (headers.upgrade?.toLowerCase() === 'websocket') return noUpgrade;
  const body = sent === 'none' ? {} : { readJson: bodies.reader(request), isTrifle: sent === 'trifle' };
  return app({ method, url, from, gone, accept: headers.accept ?? '', ...body });
}

type Exchange = { readonly request: IncomingMessage; readonly response: ServerResponse; readonly answer: Answer };

async function write({ room }: Context, { request, response, answer }: Exchange): Promise<void> {
  const { status, headers, body } = answer;
  if (headers['content-type']?.startsWith('text/event-stream')) {
    room.setApart(request.socket);
    response.shouldKeepAlive = false; // the connection was counted as a listener's: it ends with the stream
  }
  const length = typeof body === 'string' ? { 'content-length': Buffer.byteLength(body) } : {};
  response.writeHead(status, { ...usualHeaders, ...headers, ...length });
  if (request.method === 'HEAD') {
    if (typeof body !== 'string') await body[Symbol.asyncIterator]().return?.();
    response.end();
  } else if (typeof body === 'string') response.end(body);
  else await pipeline(body, response);
}
