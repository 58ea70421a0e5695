// What can be asked about mail, at a glance: every path, its method, and what answers it (design §10). The ops API serves
// it over HTTP (local/http), the command line asks a deployment on AWS by the same table, without a server.

import type { MailAdmin } from '#ops/admin.ts';
import { listDeliveries, retryOne } from '#ops/deliveries.ts';
import { listMessages } from '#ops/messages/list-messages.ts';
import { replayOne } from '#ops/messages/replay.ts';
import type { ReplayMessage } from '#ops/messages/replay-message.ts';
import { showAttachment, showBody, showMessage, showRaw } from '#ops/messages/show-message.ts';
import { traceMessage } from '#ops/messages/trace-message.ts';
import { changeDead, listDead, listQueues } from '#ops/queues.ts';
import type { RetryDelivery } from '#ops/retry-delivery.ts';
import { addSuppression, listSuppressions, removeSuppression } from '#ops/suppressions.ts';
import type { Clock, ObjectStore } from '#pipeline/contract/ports.ts';
import type { Answer } from './answer.ts';

type Method = 'GET' | 'POST' | 'DELETE';

/** What a handler is told: the parts of the path by the name they have in the route, and the query. */
export type RouteCall = { readonly parts: Readonly<Record<string, string>>; readonly query: URLSearchParams };

/** One line of the table. A part of the path in capitals stands for any text; `stream` is served by the event stream. */
export type Route = {
  readonly method: Method;
  readonly path: string;
  readonly about: string;
  readonly answer: ((call: RouteCall) => Promise<Answer>) | 'stream';
};

/** What answering takes: the world's admin side, its store, and ways to have work done again. */
export type MailRouteDeps = {
  readonly admin: MailAdmin;
  readonly store: Pick<ObjectStore, 'get' | 'head' | 'list' | 'put' | 'delete'>;
  readonly clock: Clock;
  readonly retryDelivery: RetryDelivery;
  readonly replayMessage: ReplayMessage;
};

/** The routes about mail, queues and deliveries, in any world. */
export function mailRoutes(deps: MailRouteDeps): readonly Route[] {
  const { admin } = deps;
  return [
    get('/api/messages', 'mail, newest first: ?mailbox= q= limit= after=', ({ query }) => listMessages(admin, query)),
    get('/api/messages/ID', 'one message as JSON: ?mailbox=', ({ parts, query }) =>
      showMessage(deps, { id: parts['ID'], query }),
    ),
    get('/api/messages/ID/raw', 'its bytes as stored', ({ parts, query }) => showRaw(deps, { id: parts['ID'], query })),
    get('/api/messages/ID/text', 'its text in full', ({ parts, query }) =>
      showBody(deps, { id: parts['ID'], query, kind: 'text' }),
    ),
    get('/api/messages/ID/html', 'its HTML, for a sandboxed frame', ({ parts, query }) =>
      showBody(deps, { id: parts['ID'], query, kind: 'html' }),
    ),
    get('/api/messages/ID/attachments/N', 'an attachment, from 1', ({ parts, query }) =>
      showAttachment(deps, { id: parts['ID'], n: parts['N'], query }),
    ),
    get('/api/messages/ID/trace', 'all that happened to it', ({ parts, query }) =>
      traceMessage(deps, { id: parts['ID'], query }),
    ),
    post('/api/messages/ID/replay', 'judge and parse it once more: ?to=', ({ parts, query }) =>
      replayOne(deps, { id: parts['ID'], query }),
    ),
    get('/api/queues', 'jobs waiting and given up', ({ query }) => listQueues(admin, query)),
    get('/api/queues/NAME/dead', 'jobs given up, and why: ?limit=', ({ parts, query }) =>
      listDead(admin, { name: parts['NAME'], query }),
    ),
    post('/api/queues/NAME/redrive', 'try what was given up again', ({ parts, query }) =>
      changeDead(admin, { name: parts['NAME'], action: 'redrive', query }),
    ),
    post('/api/queues/NAME/purge', 'throw away what was given up', ({ parts, query }) =>
      changeDead(admin, { name: parts['NAME'], action: 'purge', query }),
    ),
    ...outboundRoutes(deps),
  ];
}

function outboundRoutes({ retryDelivery, ...deps }: MailRouteDeps): readonly Route[] {
  return [
    get('/api/deliveries', 'outbound mail, newest first: ?state= id= limit= after=', ({ query }) =>
      listDeliveries(deps, query),
    ),
    post('/api/deliveries/ID/DOMAIN/retry', 'try a waiting delivery now', ({ parts, query }) =>
      retryOne(retryDelivery, { id: parts['ID'], domain: parts['DOMAIN'], query }),
    ),
    get('/api/suppressions', 'addresses that are not written to: ?limit= after=', ({ query }) =>
      listSuppressions(deps, query),
    ),
    post('/api/suppressions/ADDRESS', 'write to an address no more: ?reason= sender= days=', ({ parts, query }) =>
      addSuppression(deps, { address: parts['ADDRESS'], query }),
    ),
    {
      method: 'DELETE',
      path: '/api/suppressions/ADDRESS',
      about: 'write to an address again: ?sender=',
      answer: ({ parts, query }) => removeSuppression(deps, { address: parts['ADDRESS'], query }),
    },
  ];
}

/** The route for a path, by what stands in its places; `others`: the methods the path has, where this one is none. */
export function findRoute(
  routes: readonly Route[],
  method: string,
  pathname: string,
):
  | { readonly found: 'route'; readonly route: Route; readonly parts: RouteCall['parts'] }
  | { readonly found: 'other-methods'; readonly methods: readonly string[] }
  | { readonly found: 'nothing' } {
  const matches = routes.flatMap((route) => {
    const parts = matchPath(route.path, pathname);
    return parts === null ? [] : [{ route, parts }];
  });
  const match = matches.find(({ route }) => route.method === (method === 'HEAD' ? 'GET' : method));
  if (match !== undefined) return { found: 'route', ...match };
  if (matches.length === 0) return { found: 'nothing' };
  const methods = matches.flatMap(({ route }) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]));
  return { found: 'other-methods', methods: [...new Set(methods)] };
}

function matchPath(pattern: string, pathname: string): Record<string, string> | null {
  const [wanted, given] = [pattern.split('/'), pathname.split('/')];
  if (wanted.length !== given.length) return null;
  const parts: Record<string, string> = {};
  for (const [n, name] of wanted.entries()) {
    const text = given[n] ?? '';
    if (!/^[A-Z]+$/.test(name)) {
      if (name !== text) return null;
      continue;
    }
    const decoded = decode(text);
    if (decoded === null || decoded === '') return null;
    parts[name] = decoded;
  }
  return parts;
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** A route that reads. */
export function get(path: string, about: string, answer: (call: RouteCall) => Promise<Answer>): Route {
  return { method: 'GET', path, about, answer };
}

function post(path: string, about: string, answer: (call: RouteCall) => Promise<Answer>): Route {
  return { method: 'POST', path, about, answer };
}
