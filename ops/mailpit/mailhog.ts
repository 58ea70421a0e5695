// The API of MailHog as its clients use it: v2 lists and searches, v1 shows and deletes (github.com/mailhog/MailHog, docs/APIv1 and
// APIv2). Where v1 and Mailpit's v1 have one path, Mailpit's answer is given.
import { z } from 'zod';
import { isAnswer, json, notFound } from '#ops/api/answer.ts';
import { text } from '#ops/api/parameters.ts';
import type { Route } from '#ops/api/route.ts';
import { bodyUseCase, useCase } from '#ops/api/use-case.ts';
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import { readBody } from '#pipeline/contract/stored-body.ts';
import {
  changeEach,
  countMail,
  eachOf,
  type ForeignDeps,
  findListed,
  findMessages,
  type Listed,
  pageParameters,
  pathsOf,
  readCopies,
  textOf,
} from './ask-api.ts';
import { jimRoutes } from './jim.ts';
import { tolerant } from './mailpit-manner.ts';

type Part = {
  readonly Headers: Readonly<Record<string, readonly string[]>>;
  readonly Body: string;
  readonly Size: number;
  readonly MIME: null;
};

const anyJson = z.looseObject({});

const list = useCase({
  about: 'MailHog: messages, newest first',
  takes: pageParameters,
  gives: anyJson,
  answer: (deps: ForeignDeps, given) => listAnswer(deps, given),
});

const search = useCase({
  about: 'MailHog: messages from or to somebody, or with some text',
  takes: { ...pageParameters, kind: z.enum(['from', 'to', 'containing'], 'from, to or containing'), query: text() },
  gives: anyJson,
  answer: (deps: ForeignDeps, { kind, query, ...given }) => {
    const phrase = `"${query.replaceAll('"', ' ').trim()}"`;
    return listAnswer(deps, { ...given, q: kind === 'containing' ? phrase : `${kind}:${phrase}` });
  },
});

const show = useCase({
  about: 'MailHog: one message',
  takes: { ID: text() },
  gives: anyJson,
  answer: async (deps: ForeignDeps, { ID: id }) => {
    const listed = await findListed(deps, id);
    const item = listed && (await itemOf(deps, listed));
    return item === null ? notFound('message not found') : json(item);
  },
});

const remove = useCase({
  about: 'MailHog: delete one message',
  takes: { ID: text() },
  gives: 'text/plain',
  answer: (deps: ForeignDeps, { ID: id }) => changeEach(deps, { method: 'DELETE', urls: pathsOf([id]), done: '' }),
});

/** By our own way out and to whom the configuration allows: which server it names for that does not matter. */
const release = bodyUseCase({
  about: 'MailHog: release a message to a real address',
  takes: { ID: text() },
  body: { schema: z.looseObject({ email: z.string() }), maxBytes: 65_536 },
  gives: 'text/plain',
  answer: async ({ ask }: ForeignDeps, { parameters: { ID: id }, body }, { from }) => {
    const readJson = async () => ({ json: { to: [body.email] } });
    const answer = await ask({
      method: 'POST',
      url: `/api/messages/${encodeURIComponent(id)}/release`,
      from,
      readJson,
    });
    return answer.status < 400 ? { status: 200, headers: { 'content-type': 'text/plain' }, body: '' } : answer;
  },
});

const download = useCase({
  about: 'MailHog: the bytes of a message',
  takes: { ID: text() },
  gives: 'message/rfc822',
  answer: ({ ask }: ForeignDeps, { ID: id }) =>
    ask({ method: 'GET', url: `/api/messages/${encodeURIComponent(id)}/raw` }),
});

const described: readonly Route<ForeignDeps>[] = [
  { at: 'GET /api/v2/messages', does: list },
  { at: 'GET /api/v2/search', does: search },
  { at: 'GET /api/v1/messages/ID', does: show },
  { at: 'GET /api/v1/messages/ID/download', does: download },
  { at: 'DELETE /api/v1/messages/ID', does: remove },
  { at: 'POST /api/v1/messages/ID/release', does: release },
  ...jimRoutes,
];

/** Beside Mailpit's routes, which have `DELETE /api/v1/messages`. */
export const mailhogRoutes: readonly Route<ForeignDeps>[] = described.map(tolerant);

async function listAnswer(
  deps: ForeignDeps,
  query: { readonly q?: string; readonly start: number; readonly limit: number },
) {
  const found = await findMessages(deps, query);
  if (isAnswer(found)) return found;
  const items = (await eachOf(found.messages, (listed) => itemOf(deps, listed))).filter((item) => item !== null);
  const counts = query.q === undefined ? await countMail(deps) : null;
  if (counts !== null && isAnswer(counts)) return counts;
  return json({ total: counts?.messages ?? found.found, count: items.length, start: query.start, items });
}

/** Null if the message is not there any more. */
async function itemOf(deps: ForeignDeps, listed: Listed) {
  const [first, ...others] = await readCopies(deps, listed);
  if (first === undefined) return null;
  const paths = [first, ...others].map(({ envelope }) => envelope.forwardPath);
  const raw = await textOf(await deps.ask({ method: 'GET', url: `/api/messages/${listed.id}/raw` }));
  const { content, parts } = await contentOf(deps, first, raw);
  return {
    ID: first.id,
    From: pathOf(first.envelope.reversePath),
    To: paths.map(pathOf),
    Content: content,
    Created: first.receivedAt,
    MIME: parts.length === 0 ? null : { Parts: parts },
    Raw: { From: first.envelope.reversePath, To: paths, Data: raw, Helo: first.session.helo ?? '' },
  };
}

function pathOf(path: string) {
  const at = path.lastIndexOf('@');
  return { Relays: null, Mailbox: at < 0 ? path : path.slice(0, at), Domain: path.slice(at + 1), Params: '' };
}

/** One text is the content itself; more of them, and attachments, are its parts. Each is decoded, as header fields are, so that any client can read it. */
async function contentOf(
  deps: ForeignDeps,
  message: InboxMessage,
  raw: string,
): Promise<{ content: Part; parts: readonly Part[] }> {
  const texts = await Promise.all([textPart(deps, message, 'plain'), textPart(deps, message, 'html')]);
  const attachments = await Promise.all(
    message.attachments.map((attachment, n) => filePart(deps, message.id, { attachment, n })),
  );
  const parts = [...texts, ...attachments].filter((part) => part !== null);
  const [only, ...more] = parts;
  const isSingle = more.length === 0 && attachments.length === 0;
  const headers = Object.fromEntries(
    [...Map.groupBy(message.headers, ({ name }) => spelled(name))].map(([name, fields]) => [
      name,
      fields.map(({ value }) => value),
    ]),
  );
  if (isSingle) {
    const own = { ...headers, ...only?.Headers };
    return { content: { Headers: own, Body: only?.Body ?? '', Size: raw.length, MIME: null }, parts: [] };
  }
  const body = raw.slice(raw.indexOf('\r\n\r\n') + 4);
  return { content: { Headers: headers, Body: body, Size: raw.length, MIME: null }, parts };
}

const asked = ['From', 'To', 'Cc', 'Bcc', 'Reply-To', 'Subject', 'Date'];

/** Clients look for these as MailHog's own documentation spells them. */
function spelled(name: string): string {
  return asked.find((one) => one.toLowerCase() === name.toLowerCase()) ?? name;
}

async function textPart({ ask }: ForeignDeps, message: InboxMessage, kind: 'plain' | 'html'): Promise<Part | null> {
  const body = kind === 'plain' ? message.text : message.html;
  if (body === null) return null;
  const path = kind === 'plain' ? 'text' : 'html';
  const whole =
    typeof body === 'string'
      ? body
      : await textOf(await ask({ method: 'GET', url: `/api/messages/${message.id}/${path}` }));
  return partOf({ 'Content-Type': [`text/${kind}; charset=utf-8`], 'Content-Transfer-Encoding': ['8bit'] }, whole);
}

async function filePart(
  { ask }: ForeignDeps,
  id: string,
  { attachment, n }: { readonly attachment: InboxMessage['attachments'][number]; readonly n: number },
): Promise<Part> {
  const { body } = await ask({ method: 'GET', url: `/api/messages/${id}/attachments/${n + 1}` });
  const content = typeof body === 'string' ? Buffer.from(body) : await readBody(body);
  const { filename, contentType, contentId, inline } = attachment;
  return partOf(
    {
      'Content-Type': [contentType],
      'Content-Transfer-Encoding': ['base64'],
      'Content-Disposition': [`${inline ? 'inline' : 'attachment'}; filename="${filename.replaceAll('"', '')}"`],
      ...(contentId === null ? {} : { 'Content-ID': [`<${contentId}>`] }),
    },
    content.toString('base64'),
  );
}

function partOf(Headers: Part['Headers'], Body: string): Part {
  return { Headers, Body, Size: Body.length, MIME: null };
}
