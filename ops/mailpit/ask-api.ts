// What the routes of other tools' APIs are answered from: our own API, in the same process. So they say what it says, and no more.
import { z } from 'zod';
import { isMessageId } from '#mail/header/message-id.ts';
import { mailboxCountsSchema } from '#ops/admin.ts';
import { type Answer, isAnswer } from '#ops/api/answer.ts';
import type { OpsApp } from '#ops/api/ops-app.ts';
import { listedMessage } from '#ops/messages/list-messages.ts';
import { type InboxMessage, inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';
import { readBody } from '#pipeline/contract/stored-body.ts';
import type { MailpitSearch } from './mailpit-search.ts';

/** What a foreign route is given. */
export type ForeignDeps = { readonly ask: OpsApp };

export type Listed = z.output<typeof listedMessage>;

/** One page of what a search finds; `found` and `unread`: of all that it finds, counted up to {@link maxCounted}. */
export type Found = { readonly messages: readonly Listed[]; readonly found: number; readonly unread: number };

/** Of what a search finds, so many are counted. */
export const maxCounted = 5_000;
const pageSize = 500;

const pageSchema = z.object({ messages: z.array(listedMessage), next: z.string().nullable() });

/** What is no number, or none that says something, counts as not given: so these tools have it. */
const number = (usual: number, max: number) =>
  z
    .string()
    .default('')
    .transform((given) => (/^[1-9]\d{0,8}$/.test(given) ? Math.min(Number(given), max) : usual));

/** Each row is read, so there are not more of them. */
const maxRows = 5_000;
export const pageParameters = { start: number(0, 1_000_000_000), limit: number(50, maxRows) };

export const plainText = 'text/plain; charset=utf-8';

/** A good answer in plain text. */
export function said(body: string): Answer {
  return { status: 200, headers: { 'content-type': plainText }, body };
}

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

/** `start`: how many of the newest are left out. `q`: a search; empty finds all. `keeps`: what of it is taken, null for all. */
export async function findMessages(
  deps: ForeignDeps,
  { q, start, limit, keeps = null }: Partial<MailpitSearch> & { readonly start: number; readonly limit: number },
): Promise<Found | Answer> {
  const found: Listed[] = [];
  const isAll = !q && keeps === null; // somebody else counts those
  let after = '';
  do {
    const url = `/api/messages?limit=${pageSize}&q=${encodeURIComponent(q ?? '')}${after}`;
    const page = await askJson(deps, pageSchema, { method: 'GET', url });
    if (isAnswer(page)) return page;
    found.push(...(keeps === null ? page.json.messages : await kept(deps, page.json.messages, keeps)));
    after = page.json.next === null ? '' : `&after=${encodeURIComponent(page.json.next)}`;
  } while (after !== '' && found.length < Math.max(isAll ? 0 : maxCounted, start + limit));
  const unread = found.filter(({ read }) => !read).length;
  return { messages: found.slice(start, start + limit), found: found.length, unread };
}

async function kept(
  deps: ForeignDeps,
  rows: readonly Listed[],
  keeps: NonNullable<MailpitSearch['keeps']>,
): Promise<readonly Listed[]> {
  const copies = await eachOf(rows, ({ id, mailboxes }) => readCopies(deps, { id, mailboxes: mailboxes.slice(0, 1) }));
  return rows.filter((_, n) => copies[n]?.some(keeps));
}

const atOnce = 50;

/** What becomes of each, some at a time. */
export async function eachOf<Item, Made>(
  items: readonly Item[],
  make: (item: Item) => Promise<Made>,
): Promise<readonly Made[]> {
  const made: Made[] = [];
  for (let from = 0; from < items.length; from += atOnce) {
    made.push(...(await Promise.all(items.slice(from, from + atOnce).map(make))));
  }
  return made;
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

/** Paths of the messages with these ids, in our API. What is no id is passed over, as other tools do. */
export function pathsOf(ids: readonly string[]): readonly string[] {
  return ids.filter((id) => isMessageId(id.toUpperCase())).map((id) => `/api/messages/${id}`);
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
  return said(done);
}
