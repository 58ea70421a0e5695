// How these tools take requests and how Mailpit refuses them, which our own routes do in another way: what parameter they do not know they
// pass over, and Mailpit says why in plain text (its API document, ErrorResponse and NotFoundResponse).
import { type Answer, json } from '#ops/api/answer.ts';
import type { Route } from '#ops/api/route.ts';
import { type ForeignDeps, plainText, textOf } from './ask-api.ts';

/** The same route, in no list of ours, with parameters that it does not know left out. */
export function tolerant({ at, does }: Route<ForeignDeps>): Route<ForeignDeps> {
  const known = Object.keys(does.takes?.shape ?? {});
  return {
    at,
    does: {
      ...does,
      about: null,
      answer: (deps, asked) => {
        const query = new URLSearchParams();
        for (const name of known) {
          const value = asked.query.get(name);
          if (value !== null) query.set(name, value);
        }
        return does.answer(deps, { ...asked, query });
      },
    },
  };
}

/** The same, as Mailpit's clients expect it to refuse. */
export function inMailpitsManner(route: Route<ForeignDeps>): Route<ForeignDeps> {
  const { at, does } = tolerant(route);
  return {
    at,
    does: {
      ...does,
      answer: async (deps, asked) => {
        const answer = await does.answer(deps, asked);
        return answer.status < 400 ? answer : refused(answer, at.endsWith('/send'));
      },
    },
  };
}

/** 400 and 404, as its document has them; a fault of ours, and what is to be tried again, keeps its status. */
async function refused(answer: Answer, isSend: boolean): Promise<Answer> {
  const { error } = JSON.parse(await textOf(answer));
  const isOurs = answer.status === 500 || answer.status === 503;
  const status = isOurs || answer.status === 404 ? answer.status : 400;
  if (isSend) return json({ Error: error.message }, status);
  return { status, headers: { ...answer.headers, 'content-type': plainText }, body: error.message };
}
