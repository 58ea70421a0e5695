// A use case of the ops API: parameters, form of the answer, and the answer. An unknown or repeated parameter is refused.
import { z } from 'zod';
import { type Answer, badParameter, isAnswer } from './answer.ts';

/** `parts`: of the path, by their names in the route. `from`: the caller's address. */
export type Asked = {
  readonly query: URLSearchParams;
  readonly parts: Readonly<Record<string, string>>;
  readonly from: string;
};

/**
 * `about`: null if it is not part of the API (the page). `takes`: parameters by name, those in capitals from the path; null if
 * the query is not read. `gives`: the JSON of a good answer, or its content type; `status`: of a good answer.
 */
export type UseCase<Deps> = {
  readonly about: string | null;
  readonly takes: z.ZodObject | null;
  readonly gives: z.ZodType | string;
  readonly status: number;
  readonly answer: (deps: Deps, asked: Asked) => Answer | Promise<Answer>;
};

/** `answer` gets the parameters as its schema reads them. */
export function useCase<Deps, Takes extends z.core.$ZodLooseShape, Gives extends z.ZodType | string>({
  takes,
  answer,
  status = 200,
  ...rest
}: {
  readonly about: string;
  readonly takes: Takes;
  readonly gives: Gives;
  readonly status?: number;
  readonly answer: (deps: Deps, given: z.output<z.ZodObject<Takes>>, from: string) => Answer | Promise<Answer>;
}): UseCase<Deps> & { readonly gives: Gives } {
  const schema = z.strictObject(takes);
  return {
    ...rest,
    status,
    takes: schema,
    answer: (deps, asked) => {
      const given = read(schema, asked);
      return isAnswer(given) ? given : answer(deps, given, asked.from);
    },
  };
}

function read<Schema extends z.ZodObject>(schema: Schema, { query, parts }: Asked): z.output<Schema> | Answer {
  const allowed = Object.keys(schema.shape).filter((name) => !isPart(name));
  const seen = new Set<string>();
  for (const name of query.keys()) {
    if (!allowed.includes(name)) {
      return badParameter(name, allowed.length === 0 ? 'no parameters here' : `one of ${allowed.join(', ')}`);
    }
    if (seen.has(name)) return badParameter(name, 'it once');
    seen.add(name);
  }
  const { data, error } = schema.safeParse({ ...Object.fromEntries(query), ...parts });
  if (error === undefined) return data;
  const [{ path, message } = { path: [], message: 'something else' }] = error.issues;
  return badParameter(path.join('.'), message);
}

/** A name in capitals stands in the path. */
export function isPart(name: string): boolean {
  return /^[A-Z]+$/.test(name);
}
