// The OpenAPI 3.1 description, made from the table of routes and the schemas of the use cases.
import { z } from 'zod';
import { json } from './answer.ts';
import { type RefusalCode, refusalTable } from './refusals.ts';
import type { Route } from './route.ts';
import { isPart, type JsonBody, type UseCase, useCase } from './use-case.ts';

const code = z.enum(Object.keys(refusalTable)).describe('Why, in one word that stays.');
const refusal = z.object({ error: z.looseObject({ code, message: z.string() }) });

/** The use case that gives the description of these routes. */
export function describing(routes: () => readonly Route<never>[]): UseCase<unknown> {
  return useCase({
    about: 'this API as an OpenAPI description',
    takes: {},
    gives: z.looseObject({ openapi: z.string(), paths: z.looseObject({}) }),
    answer: () => json(openApi(routes())),
  });
}

export function openApi(routes: readonly Route<never>[]) {
  const operations = routes.map(({ at, does }) => {
    const [method = '', path = ''] = at.split(' ');
    return { path: path.replace(/\b[A-Z]+\b/g, '{$&}'), method: method.toLowerCase(), does };
  });
  const paths = Object.entries(Object.groupBy(operations, ({ path }) => path)).map(([path, all = []]) => {
    return [path, Object.fromEntries(all.map(({ method, does }) => [method, operation(does, path.includes('{'))]))];
  });
  return {
    openapi: '3.1.0',
    info: { title: 'Pillarbox ops API', version: '1' },
    components: {
      schemas: { Refusal: schemaOf(refusal) },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
    security: [{}, { token: [] }],
    paths: Object.fromEntries(paths),
  };
}

/** What any request may be refused for. */
const everywhere: readonly RefusalCode[] = [
  'bad-parameter',
  'token-needed',
  'wrong-host',
  'cross-site',
  'url-too-long',
  'wrong-tokens',
  'internal',
];
const ofBodies: readonly RefusalCode[] = ['bad-body', 'bad-json', 'body-too-large', 'json-needed', 'busy'];

function operation(does: UseCase<never>, isOfOne: boolean) {
  const { about, takes, body, gives, status, others = {} } = does;
  const good = typeof gives === 'string' ? { [gives]: {} } : { 'application/json': { schema: schemaOf(gives) } };
  const further = Object.entries(others).map(([other, schema]) => [
    other,
    { description: 'as asked', content: { 'application/json': { schema: schemaOf(schema) } } },
  ]);
  return {
    summary: about,
    parameters: Object.entries(takes?.shape ?? {}).map(([name, schema]) => parameter(name, schema)),
    ...(body === undefined ? {} : { requestBody: requestBody(body) }),
    responses: {
      [status]: { description: 'as asked', content: good },
      ...refusals(does, isOfOne),
      ...Object.fromEntries(further),
    },
  };
}

/** By status: the words with which it may come. */
function refusals({ takes, body, refuses = [] }: UseCase<never>, isOfOne: boolean) {
  const words = [
    ...everywhere.filter((word) => word !== 'bad-parameter' || takes !== null),
    ...(isOfOne ? (['not-found'] as const) : []),
    ...(body === undefined ? [] : ofBodies),
    ...refuses,
  ];
  const said = words.flatMap((word) => refusalTable[word].statuses.map((status) => ({ status, word })));
  const noBody = { status: body === undefined ? 413 : 400, word: 'no-body' as const };
  const all = body?.mayBeAbsent === true ? said : [...said, noBody];
  const content = { 'application/json': { schema: { $ref: '#/components/schemas/Refusal' } } };
  return Object.fromEntries(
    [...Map.groupBy(all, ({ status }) => status)].map(([status, reasons]) => [
      status,
      { description: `refused: ${reasons.map(({ word }) => word).join(', ')}`, content },
    ]),
  );
}

function requestBody({ schema, mayBeAbsent = false }: JsonBody) {
  return { required: !mayBeAbsent, content: { 'application/json': { schema: schemaOf(schema, 'input') } } };
}

function parameter(name: string, schema: z.core.$ZodType) {
  const required = isPart(name) || !z.safeParse(schema, undefined).success;
  return { name, in: isPart(name) ? 'path' : 'query', required, schema: schemaOf(schema, 'input') };
}

function schemaOf(schema: z.core.$ZodType, io: 'input' | 'output' = 'output') {
  const { $schema: _, ...described } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return described;
}
