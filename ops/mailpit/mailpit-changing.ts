// Mailpit's routes that change something: read state, tags, delete, release, send.
import { z } from 'zod';
import { type Answer, isAnswer, json, notFound } from '#ops/api/answer.ts';
import { text } from '#ops/api/parameters.ts';
import { bodyUseCase, useCase } from '#ops/api/use-case.ts';
import { deletedSome } from '#ops/messages/delete-messages.ts';
import { markedSome } from '#ops/messages/mark-messages.ts';
import { maxSentBytes } from '#ops/send/send-message.ts';
import { askJson, changeEach, type ForeignDeps, findListed, findMessages, type Listed } from './ask-api.ts';
import { fromMailpitSearch } from './mailpit-search.ts';

const maxListBytes = 4_194_304;
const done = 'ok';
const gives = 'text/plain; charset=utf-8';
const ids = z.array(z.string().max(100)).default([]);
const maxTagged = 5_000;

export const mailpitSetRead = bodyUseCase({
  about: 'Mailpit: mark messages as read or unread: by id, by a search, or all',
  takes: { tz: text().optional() },
  body: {
    schema: z.looseObject({ IDs: ids, Read: z.boolean().default(false), Search: z.string().default('') }),
    maxBytes: maxListBytes,
    mayBeAbsent: true,
  },
  gives,
  answer: async (deps: ForeignDeps, { body }) => {
    const mark = body.Read ? 'read' : 'unread';
    const urls = body.IDs.map((id) => `/api/messages/${encodeURIComponent(id)}/${mark}`);
    if (urls.length > 0) return changeEach(deps, { method: 'POST', urls, done });
    const all = body.Search === '' ? 'all=true' : `q=${encodeURIComponent(fromMailpitSearch(body.Search))}`;
    return markAll(deps, `/api/messages/${mark}?${all}`);
  },
});

/** All of it, however many requests of our own API that takes. */
async function markAll(deps: ForeignDeps, url: string): Promise<Answer> {
  let after = '';
  for (;;) {
    const answer = await askJson(deps, markedSome, { method: 'POST', url: `${url}${after}` });
    if (isAnswer(answer)) return answer;
    const { next } = answer.json;
    if (next === null) return changeEach(deps, { method: 'POST', urls: [], done });
    after = `&after=${encodeURIComponent(next)}`;
  }
}

export const mailpitDelete = bodyUseCase({
  about: 'Mailpit: delete messages: by id, or all',
  takes: {},
  body: { schema: z.looseObject({ IDs: ids }), maxBytes: maxListBytes, mayBeAbsent: true },
  gives,
  answer: async (deps: ForeignDeps, { body }) => {
    const urls = body.IDs.map((id) => `/api/messages/${encodeURIComponent(id)}`);
    // MailHog has the same route, and its clients take a body for JSON.
    if (urls.length === 0) return deleteAll(deps, { query: 'all=true', done: '' });
    return changeEach(deps, { method: 'DELETE', urls, done });
  },
});

export const mailpitDeleteFound = useCase({
  about: 'Mailpit: delete what a search finds',
  takes: { query: text().trim().min(1, 'a search'), tz: text().optional() },
  gives,
  answer: (deps: ForeignDeps, { query }) =>
    deleteAll(deps, { query: `q=${encodeURIComponent(fromMailpitSearch(query))}`, done }),
});

/** Until nothing is left, however many requests of our own API that takes. */
async function deleteAll(
  deps: ForeignDeps,
  { query, done: body }: { readonly query: string; readonly done: string },
): Promise<Answer> {
  for (;;) {
    const answer = await askJson(deps, deletedSome, { method: 'DELETE', url: `/api/messages?${query}` });
    if (isAnswer(answer)) return answer;
    if (answer.json.left === 0) return changeEach(deps, { method: 'DELETE', urls: [], done: body });
  }
}

export const mailpitSetTags = bodyUseCase({
  about: 'Mailpit: set the tags of messages',
  takes: {},
  body: { schema: z.looseObject({ IDs: ids, Tags: z.array(z.string()).default([]) }), maxBytes: maxListBytes },
  gives,
  answer: (deps: ForeignDeps, { body }) =>
    changeEach(deps, { method: 'POST', urls: body.IDs.map((id) => tagging(id, body.Tags)), done }),
});

export const mailpitRenameTag = bodyUseCase({
  about: 'Mailpit: give a tag another name',
  takes: { TAG: text() },
  body: { schema: z.looseObject({ Name: z.string().min(1) }), maxBytes: maxListBytes },
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
  body: { schema: z.looseObject({ To: z.array(z.string()) }), maxBytes: maxListBytes },
  gives,
  answer: async (deps: ForeignDeps, { parameters: { ID: id }, body }, { from }) => {
    const listed = await findListed(deps, id);
    if (listed === null) return notFound('message not found');
    const readJson = async () => ({ json: { to: body.To } });
    const answer = await deps.ask({ method: 'POST', url: `/api/messages/${listed.id}/release`, from, readJson });
    return answer.status < 400 ? { status: 200, headers: { 'content-type': gives }, body: done } : answer;
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
      Tags: z.array(z.string()).nullish(),
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
    if (status === 200 && body.Tags && body.Tags.length > 0) await ask({ method: 'POST', url: tagging(id, body.Tags) });
    return json({ ID: id });
  },
});

function written({ Name, Email }: z.output<typeof person>): string {
  return Name === '' ? Email : `"${Name.replaceAll(/["\\]/g, '\\$&')}" <${Email}>`;
}

function tagging(id: string, tags: readonly string[]): string {
  return `/api/messages/${encodeURIComponent(id)}/tags?tags=${encodeURIComponent(tags.join(','))}`;
}

async function changeTag(deps: ForeignDeps, tag: string, instead: readonly string[]): Promise<Answer> {
  const found = await findMessages(deps, { q: `tag:"${tag.replaceAll('"', '')}"`, start: 0, limit: maxTagged });
  if (isAnswer(found)) return found;
  const others = ({ tags }: Listed) => tags.filter((one) => one.toLowerCase() !== tag.toLowerCase());
  const tagged = found.messages.filter((listed) => others(listed).length < listed.tags.length);
  return changeEach(deps, {
    method: 'POST',
    urls: tagged.map((listed) => tagging(listed.id, [...others(listed), ...instead])),
    done,
  });
}
