// Mailpit's routes that change something: read state, tags, delete, release, send.
import { z } from 'zod';
import { type Answer, isAnswer, json, notFound, refusal } from '#ops/api/answer.ts';
import { text } from '#ops/api/parameters.ts';
import { bodyUseCase, useCase } from '#ops/api/use-case.ts';
import { deletedSome } from '#ops/messages/delete-messages.ts';
import { markedSome } from '#ops/messages/mark-messages.ts';
import { maxSentBytes } from '#ops/send/send-message.ts';
import {
  askJson,
  changeEach,
  type ForeignDeps,
  findListed,
  findMessages,
  type Listed,
  maxCounted,
  pathsOf,
  plainText,
  said,
} from './ask-api.ts';
import { cleanTag } from './clean-tag.ts';
import { fromMailpitSearch } from './mailpit-search.ts';

const maxListBytes = 4_194_304;
const done = 'ok';
const gives = plainText;
const ids = z
  .array(z.string().max(100))
  .nullish()
  .transform((given) => given ?? []);
const releasedSome = z.looseObject({ failed: z.array(z.object({ to: z.array(z.string()), reason: z.string() })) });
const maxTagged = 5_000;
const tags = z
  .array(z.string())
  .nullish()
  .transform((given) => (given ?? []).map(cleanTag).filter((tag) => tag !== ''));

export const mailpitSetRead = bodyUseCase({
  about: 'Mailpit: mark messages as read or unread: by id, by a search, or all',
  takes: { tz: text().optional() },
  body: {
    schema: z.looseObject({ IDs: ids, Read: z.boolean().default(false), Search: z.string().nullish() }),
    maxBytes: maxListBytes,
    mayBeAbsent: true,
  },
  gives,
  answer: async (deps: ForeignDeps, { parameters: { tz }, body }) => {
    const mark = body.Read ? 'read' : 'unread';
    const markEach = (ids: readonly string[]) =>
      changeEach(deps, { method: 'POST', urls: pathsOf(ids).map((path) => `${path}/${mark}`), done });
    if (body.IDs.length > 0) return markEach(body.IDs);
    if (!body.Search) return markAll(deps, `/api/messages/${mark}?all=true`);
    const search = fromMailpitSearch(body.Search, tz);
    if (search.keeps === null) return markAll(deps, `/api/messages/${mark}?q=${encodeURIComponent(search.q)}`);
    const found = await findMessages(deps, { ...search, start: 0, limit: maxCounted });
    return isAnswer(found) ? found : markEach(found.messages.map(({ id }) => id));
  },
});

/** All of it, however many requests of our own API that takes. */
async function markAll(deps: ForeignDeps, url: string): Promise<Answer> {
  let after = '';
  for (;;) {
    const answer = await askJson(deps, markedSome, { method: 'POST', url: `${url}${after}` });
    if (isAnswer(answer)) return answer;
    const { next } = answer.json;
    if (next === null) return said(done);
    after = `&after=${encodeURIComponent(next)}`;
  }
}

export const mailpitDelete = bodyUseCase({
  about: 'Mailpit: delete messages: by id, or all',
  takes: {},
  body: { schema: z.looseObject({ IDs: ids }), maxBytes: maxListBytes, mayBeAbsent: true },
  gives,
  answer: async (deps: ForeignDeps, { body }, { accept }) => {
    if (body.IDs.length > 0) return changeEach(deps, { method: 'DELETE', urls: pathsOf(body.IDs), done });
    // MailHog has the same route: its client, which names nothing that it accepts, takes a body for JSON.
    return deleteAll(deps, { query: 'all=true', done: accept === '' ? '' : done });
  },
});

export const mailpitDeleteFound = useCase({
  about: 'Mailpit: delete what a search finds',
  takes: { query: text().trim().min(1, 'a search'), tz: text().optional() },
  gives,
  answer: async (deps: ForeignDeps, { query, tz }) => {
    const search = fromMailpitSearch(query, tz);
    if (search.keeps === null) return deleteAll(deps, { query: `q=${encodeURIComponent(search.q)}`, done });
    for (;;) {
      const found = await findMessages(deps, { ...search, start: 0, limit: maxCounted });
      if (isAnswer(found)) return found;
      const urls = pathsOf(found.messages.map(({ id }) => id));
      const deleted = await changeEach(deps, { method: 'DELETE', urls, done });
      if (urls.length < maxCounted || deleted.status >= 400) return deleted;
    }
  },
});

/** Until nothing is left, however many requests of our own API that takes. */
async function deleteAll(
  deps: ForeignDeps,
  { query, done: body }: { readonly query: string; readonly done: string },
): Promise<Answer> {
  for (;;) {
    const answer = await askJson(deps, deletedSome, { method: 'DELETE', url: `/api/messages?${query}` });
    if (isAnswer(answer)) return answer;
    if (answer.json.left === 0) return said(body);
  }
}

export const mailpitSetTags = bodyUseCase({
  about: 'Mailpit: set the tags of messages',
  takes: {},
  body: { schema: z.looseObject({ IDs: ids, Tags: tags }), maxBytes: maxListBytes, mayBeAbsent: true },
  gives,
  answer: (deps: ForeignDeps, { body }) =>
    changeEach(deps, { method: 'POST', urls: pathsOf(body.IDs).map((path) => tagging(path, body.Tags)), done }),
});

export const mailpitRenameTag = bodyUseCase({
  about: 'Mailpit: give a tag another name',
  takes: { TAG: text() },
  body: {
    schema: z.looseObject({
      Name: z
        .string()
        .transform(cleanTag)
        .refine((name) => name !== '', 'a name'),
    }),
    maxBytes: maxListBytes,
  },
  gives,
  answer: (deps: ForeignDeps, { parameters, body }) => changeTag(deps, parameters.TAG, [body.Name]),
});

export const mailpitDeleteTag = useCase({
  about: 'Mailpit: take a tag off all messages',
  takes: { TAG: text() },
  gives,
  answer: (deps: ForeignDeps, { TAG: tag }) => changeTag(deps, tag, []),
});

export const mailpitRelease = bodyUseCase({
  about: 'Mailpit: release a message to real addresses',
  takes: { ID: text() },
  body: { schema: z.looseObject({ To: z.array(z.string(), 'expected addresses') }), maxBytes: maxListBytes },
  gives,
  answer: async (deps: ForeignDeps, { parameters: { ID: id }, body }, { from }) => {
    const listed = await findListed(deps, id);
    if (listed === null) return notFound('message not found');
    const readJson = async () => ({ json: { to: body.To } });
    const url = `/api/messages/${listed.id}/release`;
    const answer = await askJson(deps, releasedSome, { method: 'POST', url, from, readJson });
    if (isAnswer(answer)) return answer;
    const [failed] = answer.json.failed;
    if (failed === undefined) return said(done);
    const left = answer.json.failed.flatMap(({ to }) => to).join(', ');
    return refusal(409, 'not-released', `not sent to ${left} (to the others it was): ${failed.reason}`);
  },
});

const person = z.looseObject({ Email: z.string(), Name: z.string().default('') });

export const mailpitSend = bodyUseCase({
  about: 'Mailpit: send a message',
  takes: {},
  body: {
    schema: z.looseObject({
      From: person,
      To: z.array(person).nullish(),
      Cc: z.array(person).nullish(),
      Bcc: z.array(z.string()).nullish(),
      ReplyTo: z.array(person).nullish(),
      Subject: z.string().default(''),
      Text: z.string().default(''),
      HTML: z.string().default(''),
      Headers: z.record(z.string(), z.string()).nullish(),
      Tags: tags,
      Attachments: z
        .array(
          z.looseObject({
            Content: z.string(),
            Filename: z.string(),
            ContentType: z.string().default(''),
            ContentID: z.string().default(''),
          }),
        )
        .nullish(),
    }),
    maxBytes: maxSentBytes,
  },
  gives: z.object({ ID: z.string() }),
  answer: async ({ ask }: ForeignDeps, { body }, { from, gone }) => {
    const sent = {
      from: written(body.From),
      to: (body.To ?? []).map(written),
      cc: (body.Cc ?? []).map(written),
      bcc: body.Bcc ?? [],
      replyTo: (body.ReplyTo ?? []).map(written),
      subject: body.Subject,
      text: body.Text || (body.HTML === '' ? '' : null),
      html: body.HTML || null,
      headers: body.Headers ?? {},
      attachments: (body.Attachments ?? []).map(({ Content, Filename, ContentType, ContentID }) => ({
        content: Content,
        filename: Filename || null,
        contentType: ContentType || null,
        contentId: ContentID || null,
      })),
    };
    const readJson = async () => ({ json: sent });
    const answer = await askJson({ ask }, z.object({ id: z.string() }), {
      method: 'POST',
      url: '/api/send',
      from,
      readJson,
    });
    if (isAnswer(answer)) return answer;
    const { id } = answer.json;
    // There it is in the list at once. Mail to others, in a service that sends it on, is in no list.
    const { status } = await ask({ method: 'GET', url: `/api/messages/wait?q=id:${id}&timeout=5`, gone });
    if (status === 200 && body.Tags.length > 0) {
      await ask({ method: 'POST', url: tagging(`/api/messages/${id}`, body.Tags) });
    }
    return json({ ID: id });
  },
});

function written({ Name, Email }: z.output<typeof person>): string {
  return Name === '' ? Email : `"${Name.replaceAll(/["\\]/g, '\\$&')}" <${Email}>`;
}

function tagging(path: string, wanted: readonly string[]): string {
  return `${path}/tags?tags=${encodeURIComponent(wanted.join(','))}`;
}

async function changeTag(deps: ForeignDeps, tag: string, instead: readonly string[]): Promise<Answer> {
  const found = await findMessages(deps, { q: `tag:"${tag.replaceAll('"', '')}"`, start: 0, limit: maxTagged });
  if (isAnswer(found)) return found;
  const others = ({ tags }: Listed) => tags.filter((one) => one.toLowerCase() !== tag.toLowerCase());
  const tagged = found.messages.filter((listed) => others(listed).length < listed.tags.length);
  return changeEach(deps, {
    method: 'POST',
    urls: tagged.map((listed) => tagging(`/api/messages/${listed.id}`, [...others(listed), ...instead])),
    done,
  });
}
