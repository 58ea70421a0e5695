// docs/api.md: every request of the API, made of the table of routes and of the schemas that the program itself goes by.
import { z } from 'zod';
import { refusalTable } from '#ops/api/refusals.ts';
import type { Route } from '#ops/api/route.ts';
import { serviceRoutes } from '#ops/api/routes.ts';
import { isPart } from '#ops/api/use-case.ts';
import { inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';
import { shapeText } from '#test/docs/shape-text.ts';
import { markdownTable } from '#test/support/peers/client-docs.ts';

/** The whole page. */
export function apiPage(): string {
  const refusals = Object.entries(refusalTable).map(([code, { statuses, about }]) => {
    return [`\`${code}\``, statuses.join(', '), about];
  });
  return `# The API

<!-- Written by \`npm run docs:reference\` from the table of routes. -->

At \`http://127.0.0.1:8025\` ([\`--http\`, \`--http-host\`](start.md)). On loopback nothing is needed; bound elsewhere, every request needs
\`Authorization: Bearer TOKEN\`. What it is for, how to search, what waits and what is limited: [operations.md](operations.md#the-ops-api).
Every answer has the header \`Pillarbox-API: 1\`, so that nobody takes another service for this one. The same as an OpenAPI 3.1 description: [openapi.json](schemas/openapi.json), and \`GET /api/openapi.json\` of a running server.

Parameters that are unknown, or given twice, are refused. Those in capitals stand in the path. Bodies are JSON (\`content-type: application/json\`),
and so are answers where nothing else is said. \`next\` is passed as \`after\` for the next page.

## Requests

${serviceRoutes.map(({ at, does }) => `- [\`${at}\`](#${anchorOf(at)}): ${does.about}`).join('\n')}

${serviceRoutes.map(section).join('\n\n')}

## Refusals

\`{"error": {"code", "message", …}}\`: programs go by \`code\`, which stays; \`message\` is for people.

${markdownTable(['code', 'status', 'meaning'], refusals)}
`;
}

/** As GitHub makes it of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-');
}

function section({ at, does }: Route<never>): string {
  const { about, takes, body, gives, status } = does;
  const rows = Object.entries(takes?.shape ?? {}).map(([name, schema]) => parameterRow(name, schema));
  const sentence = `${(about ?? '').charAt(0).toUpperCase()}${(about ?? '').slice(1)}.`;
  const sent = body === undefined ? [] : ['The body:', fenced(shapeText(body.schema, 'input'))];
  return [
    `### ${at}`,
    sentence,
    ...(rows.length === 0 ? [] : [markdownTable(['parameter', 'what', 'default'], rows)]),
    ...sent,
    ...answer(gives, status),
  ].join('\n\n');
}

function answer(gives: z.ZodType | string, status: number): readonly string[] {
  if (gives === inboxMessageSchema) return [`Answers ${status} with [the message](inbox-message.md).`];
  if (typeof gives === 'string') return [`Answers ${status} with \`${gives}\`.`];
  return [`Answers ${status}:`, fenced(shapeText(gives))];
}

function fenced(text: string): string {
  return `\`\`\`\n${text}\n\`\`\``;
}

function parameterRow(name: string, schema: z.core.$ZodType): readonly string[] {
  const described: { readonly [key: string]: any } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  const { description, minimum, maximum, minLength, enum: words, pattern } = described;
  const bounds = minimum === undefined ? null : `a number from ${minimum} to ${maximum}`;
  const text = pattern === undefined ? 'a text' : 'a whole number, from 1';
  const what = description ?? words?.map((word: string) => `\`${word}\``).join(', ') ?? bounds ?? text;
  const isNeeded = isPart(name) || minLength === 1 || !z.safeParse(schema, undefined).success;
  const standard = z.safeParse(schema, undefined).data;
  return [`\`${name}\``, what, isNeeded ? 'must be given' : defaultText(standard)];
}

function defaultText(standard: unknown): string {
  return standard === undefined || standard === null || standard === '' ? '' : `\`${String(standard)}\``;
}
