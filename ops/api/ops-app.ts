// The routes as a function from request to answer: local/http serves it, the command line calls it for a deployment without
// a server. Routing is by hand: with Hono, whose Request and Response must be built for each call, it takes a third longer.
import { type Answer, closing, refusal, withHeaders } from './answer.ts';
import type { Route } from './route.ts';
import type { Asked } from './use-case.ts';

/**
 * `url`: path and query. `from`: the caller's address, which limits listeners of events. `gone`: aborted when nobody waits for
 * the answer any more. `readJson`: left out if the request has no body; `isTrifle`: it is `{}` at most, which some clients send with
 * each request.
 */
export type OpsRequest = { readonly method: string; readonly url: string; readonly isTrifle?: boolean } & Partial<
  Pick<Asked, 'from' | 'gone' | 'accept' | 'readJson'>
>;

/** Rejects with whatever a use case throws. */
export type OpsApp = (request: OpsRequest) => Promise<Answer>;

const neverGone = new AbortController().signal;
const noBody = async (): Promise<Answer> => refusal(400, 'no-body', 'this needs a JSON body');
const emptyBody = async () => ({ json: {} });

export function createOpsApp<Deps>(deps: Deps, routes: readonly Route<Deps>[]): OpsApp {
  const table = routes.map(({ at, does }) => {
    const [method = '', path = ''] = at.split(' ');
    return { method, pattern: patternOf(path), does };
  });
  return async ({ method, url, from = '', gone = neverGone, accept = '', readJson, isTrifle = false }) => {
    const [path = '', ...query] = url.split('?');
    const wanted = method === 'HEAD' ? 'GET' : method;
    for (const route of table) {
      const parts = route.method === wanted ? partsOf(route.pattern.exec(path)) : null;
      if (parts === null) continue;
      if (readJson !== undefined && route.does.body === undefined && !isTrifle) return closing(noBodyHere());
      const mayBeAbsent = route.does.body?.mayBeAbsent === true;
      const readBody = mayBeAbsent && isTrifle ? emptyBody : (readJson ?? (mayBeAbsent ? emptyBody : noBody));
      const asked = { query: new URLSearchParams(query.join('?')), parts, from, gone, accept, readJson: readBody };
      return route.does.answer(deps, asked);
    }
    const others = table.filter(({ pattern }) => partsOf(pattern.exec(path)) !== null);
    if (others.length > 0) return wrongMethod(others.map((route) => route.method));
    const paths = routes.flatMap(({ at, does: { about } }) => (about === null ? [] : [`${at}: ${about}`]));
    return refusal(404, 'not-found', `there is no ${path.slice(0, 200)} here`, { paths });
  };
}

function noBodyHere(): Answer {
  return refusal(413, 'no-body', 'this request takes no body');
}

/** A part in capitals stands for any text. */
function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll('.', '\\.').replace(/\b[A-Z]+\b/g, '(?<$&>[^/]+)')}$`);
}

/** The parts by name; null if the path is another, or has a percent sign that encodes nothing. */
function partsOf(match: RegExpExecArray | null): Readonly<Record<string, string>> | null {
  if (match === null) return null;
  const parts = Object.entries(match.groups ?? {});
  try {
    return Object.fromEntries(parts.map(([name, text]) => [name, decodeURIComponent(text)]));
  } catch {
    return null;
  }
}

function wrongMethod(methods: readonly string[]): Answer {
  const allow = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
  return withHeaders(refusal(405, 'wrong-method', `only ${allow} here`), { allow });
}
