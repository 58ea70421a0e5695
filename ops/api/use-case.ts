// A use case of the ops API: parameters, form of the answer, and the answer. An unknown or repeated parameter is refused. The
// few that change something by more than parameters take a JSON body, described and bounded like them.
import { z } from 'zod';
import { type Answer, badParameter, isAnswer, refusal } from './answer.ts';
import type { RefusalCode } from './refusals.ts';

/** Reads the body of a request, at most so many bytes of JSON; the refusal if it is larger, or something else. */
export type ReadJson = (maxBytes: number) => Promise<{ readonly json: unknown } | Answer>;

/**
 * `parts`: of the path, by their names in the route. `from`: the caller's address. `gone`: aborted when nobody waits for the
 * answer any more. `accept`: the field of that name, empty if there is none.
 */
export type Asked = {
  readonly query: URLSearchParams;
  readonly parts: Readonly<Record<string, string>>;
  readonly from: string;
  readonly gone: AbortSignal;
  readonly accept: string;
  readonly readJson: ReadJson;
};

/** A JSON body: its form, and how large its text may be. `mayBeAbsent`: none at all is `{}`. */
export type JsonBody<Schema extends z.ZodType = z.ZodType> = {
  readonly schema: Schema;
  readonly maxBytes: number;
  readonly mayBeAbsent?: boolean;
};

/**
 * `about`: null if it is not part of the API (the page). `takes`: parameters by name, those in capitals from the path; null if
 * the query is not read. `body`: left out if it takes none. `gives`: the JSON of a good answer, or its content type; `status`: of a
 * good answer. `refuses`: beside what any request of its kind may be refused for. `others`: further answers, by status.
 */
export type UseCase<Deps> = {
  readonly about: string | null;
  readonly takes: z.ZodObject | null;
  readonly body?: JsonBody | undefined;
  readonly gives: z.ZodType | string;
  readonly status: number;
  readonly refuses?: readonly RefusalCode[];
  readonly others?: Readonly<Record<number, z.ZodType>>;
  readonly answer: (deps: Deps, asked: Asked) => Answer | Promise<Answer>;
};

/** What every kind of use case is made from. */
type Parts<Takes extends z.core.$ZodLooseShape, Gives extends z.ZodType | string> = {
  readonly about: string;
  readonly takes: Takes;
  readonly gives: Gives;
  readonly status?: number;
  readonly refuses?: readonly RefusalCode[];
  readonly others?: Readonly<Record<number, z.ZodType>>;
};

/** Who asks, and whether they still wait. */
type Asking = Pick<Asked, 'from' | 'gone' | 'accept'>;

/** `answer` gets the parameters as its schema reads them. */
export function useCase<Deps, Takes extends z.core.$ZodLooseShape, Gives extends z.ZodType | string>({
  takes,
  answer,
  status = 200,
  ...rest
}: Parts<Takes, Gives> & {
  readonly answer: (deps: Deps, given: z.output<z.ZodObject<Takes>>, asking: Asking) => Answer | Promise<Answer>;
}): UseCase<Deps> & { readonly gives: Gives } {
  const schema = z.strictObject(takes);
  return {
    ...rest,
    status,
    takes: schema,
    answer: (deps, asked) => {
      const given = read(schema, asked);
      return isAnswer(given) ? given : answer(deps, given, asked);
    },
  };
}

/** The same for a request with a JSON body: `answer` gets what its schema makes of it beside the parameters. */
export function bodyUseCase<
  Deps,
  Takes extends z.core.$ZodLooseShape,
  Body extends z.ZodType,
  Gives extends z.ZodType | string,
>({
  takes,
  body,
  answer,
  status = 200,
  ...rest
}: Parts<Takes, Gives> & {
  readonly body: JsonBody<Body>;
  readonly answer: (
    deps: Deps,
    given: { readonly parameters: z.output<z.ZodObject<Takes>>; readonly body: z.output<Body> },
    asking: Asking,
  ) => Answer | Promise<Answer>;
}): UseCase<Deps> & { readonly gives: Gives } {
  const schema = z.strictObject(takes);
  return {
    ...rest,
    status,
    body,
    takes: schema,
    answer: async (deps, asked) => {
      const parameters = read(schema, asked);
      if (isAnswer(parameters)) return parameters;
      const sent = await asked.readJson(body.maxBytes);
      if (isAnswer(sent)) return sent;
      const { success, data, error } = body.schema.safeParse(sent.json);
      return success ? answer(deps, { parameters, body: data }, asked) : badBody(error);
    },
  };
}

/** 400: the message names the field, and what was expected of it. */
function badBody({ issues }: z.ZodError): Answer {
  const [{ path, message } = { path: [], message: 'something else' }] = issues;
  const field = path.join('.');
  return refusal(400, 'bad-body', `${field || 'the body'}: ${message}`, { field });
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
  const [issue = { path: [], message: 'something else', code: null }] = error.issues;
  // What is expected of a value, its schema says; that there is none, zod says in words of its own.
  const isMissing = issue.code === 'invalid_type' && issue.message.startsWith('Invalid input');
  return badParameter(issue.path.join('.'), isMissing ? 'a value' : issue.message);
}

/** A name in capitals stands in the path. */
export function isPart(name: string): boolean {
  return /^[A-Z]+$/.test(name);
}
