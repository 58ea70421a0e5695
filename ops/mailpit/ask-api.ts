// What the routes of other tools' APIs are answered from: our own API, in the same process. So they say what it says, and no more.
import { z } from 'zod';
import { mailboxCountsSchema } from '#ops/admin.ts';
import { type Answer, isAnswer } from '#ops/api/answer.ts';
import type { OpsApp } from '#ops/api/ops-app.ts';
import { listedMessage } from '#ops/messages/list-messages.ts';
import { type InboxMessage, inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';
import { readBody } from '#pipeline/contract/stored-body.ts';

/** What a foreign route is given. */
export type ForeignDeps = { readonly ask: OpsApp };

export type Listed = z.output<typeof listedMessage>;

/** One page of what a search finds; `found`: all that it finds, counted up to {@link maxCounted}. */
export type Found = { readonly messages: readonly Listed[]; readonly found: number };

/** Of what a search finds, so many are counted. */
export const maxCounted = 5_000;
const pageSize = 500;

const pageSchema = z.object({ messages: z.array(listedMessage), next: z.string().nullable() });

const number = (usual: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, 'a whole number')
    .default(String(usual))
    .transform((given) => Math.min(Number(given), max));

/** Each row is read, so there are not more of them. */
const maxRows = 500;
export const pageParameters = { start: number(0, 1_000_000_000), limit: number(50, maxRows) };
/** The JSON of a good answer, as the schema reads it; what is refused is passed on as it is. */
export async function askJson<Schema extends z.ZodType>(
  { ask }: ForeignDeps,
  schema: Schema,
  request: Parameters<OpsApp>[0],
): Promise<{ readonly json: z.output<Schema> } | Answer> {
  const answer = await ask(request);
  if (answer.status >= 400) return answer;
  return { json: schema.parse(JSON.parse(await textOf(answer))) };
}

/** The body of an answer as text. */
export async function textOf({ body }: Answer): Promise<string> {
  return typeof body === 'string' ? body : (await readBody(body)).toString('utf8');
}

/** `start`: how many of the newest are left out. `q`: a search; empty finds all. */
export async function findMessages(
  deps: ForeignDeps,
  { q, start, limit }: { readonly q: string; readonly start: number; readonly limit: number },
): Promise<Found | Answer> {
  const found: Listed[] = [];
  let after = '';
  do {
    const url = `/api/messages?limit=${pageSize}&q=${encodeURIComponent(q)}${after}`;
    const page = await askJson(deps, pageSchema, { method: 'GET', url });
    if (isAnswer(page)) return page;
    found.push(...page.json.messages);
    after = page.json.next === null ? '' : `&after=${encodeURIComponent(page.json.next)}`;
  } while (after !== '' && found.length < Math.max(maxCounted, start + limit));
  return { messages: found.slice(start, start + limit), found: found.length };
}

export async function countMail(deps: ForeignDeps): Promise<z.output<typeof mailboxCountsSchema> | Answer> {
  const counted = await askJson(deps, mailboxCountsSchema, { method: 'GET', url: '/api/mailboxes' });
  return isAnswer(counted) ? counted : counted.json;
}

/** All copies of a message, each with its recipient. */
export async function readCopies(
  deps: ForeignDeps,
  { id, mailboxes }: Pick<Listed, 'id' | 'mailboxes'>,
): Promise<readonly InboxMessage[]> {
  const asked = mailboxes.map((mailbox) =>
    askJson(deps, inboxMessageSchema, {
      method: 'GET',
      url: `/api/messages/${id}?mailbox=${encodeURIComponent(mailbox)}`,
    }),
  );
  return (await Promise.all(asked)).flatMap((copy) => (isAnswer(copy) ? [] : [copy.json]));
}

/** Of one id, or of the newest message; null if there is none. */
export async function findListed(deps: ForeignDeps, id: string): Promise<Listed | null> {
  const found = await findMessages(deps, {
    q: id === 'latest' ? '' : `id:"${id.replaceAll('"', '')}"`,
    start: 0,
    limit: 5,
  });
  if (isAnswer(found)) return null;
  return found.messages.find((listed) => id === 'latest' || listed.id === id.toUpperCase()) ?? null;
}

/** Each in turn; the first refusal if there is one, else `done`. A message that is gone is passed over, as other tools do. */
export async function changeEach(
  { ask }: ForeignDeps,
  {
    method,
    urls,
    done,
  }: { readonly method: 'POST' | 'DELETE'; readonly urls: readonly string[]; readonly done: string },
): Promise<Answer> {
  for (const url of urls) {
    const answer = await ask({ method, url });
    if (answer.status >= 400 && answer.status !== 404) return answer;
  }
  return { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: done };
}
