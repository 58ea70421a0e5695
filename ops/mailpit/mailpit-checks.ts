// Mailpit's checks of a message: its HTML by what mail programs support, and its links. What is not here is said so, with what to use
// in its place.
import { z } from 'zod';
import { isAnswer, json, notFound, refusal } from '#ops/api/answer.ts';
import { text } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
import { type ClientReport, clientReportSchema } from '#ops/content/client-report.ts';
import { findLinks } from '#ops/content/find-links.ts';
import { askJson, type ForeignDeps, findListed, textOf } from './ask-api.ts';

const anyJson = z.looseObject({});
/** A message id, or `latest`. */
const ID = text();

export const mailpitHtmlCheck = useCase({
  about: 'Mailpit: which mail programs support the HTML of a message',
  takes: { ID },
  gives: anyJson,
  answer: async (deps: ForeignDeps, given) => {
    const listed = await findListed(deps, given.ID);
    if (listed === null) return notFound('message not found');
    const report = await askJson(deps, clientReportSchema, {
      method: 'GET',
      url: `/api/messages/${listed.id}/clients`,
    });
    return isAnswer(report) ? report : json(htmlCheck(report.json));
  },
});

/**
 * The links, without asking anybody whether they lead somewhere: whoever sends mail here could else make this server ask hosts for it,
 * those of its own network among them, and links that confirm or unsubscribe would be followed.
 */
export const mailpitLinkCheck = useCase({
  about: 'Mailpit: the links of a message',
  takes: { ID, follow: text().optional() },
  gives: anyJson,
  answer: async (deps: ForeignDeps, given) => {
    const listed = await findListed(deps, given.ID);
    if (listed === null) return notFound('message not found');
    const body = async (kind: string): Promise<string | null> => {
      const answer = await deps.ask({ method: 'GET', url: `/api/messages/${listed.id}/${kind}` });
      return answer.status === 200 ? textOf(answer) : null;
    };
    const [plain, html] = await Promise.all([body('text'), body('html?source=true')]);
    const links = findLinks({ text: plain, html });
    return json({ Errors: 0, Links: links.map((URL) => ({ URL, StatusCode: 0, Status: 'Not requested' })) });
  },
});

/** What browsers only draw. */
const pictureTypes = /^image\/(?:png|jpeg|gif|webp|avif|bmp)$/i;
/** 180 by 120, white, as JPEG. */
const blank = Buffer.from(
  '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4x9lnN+gXz/wAALCAB4ALQBAREA/8QAFQABAQAAAAAAAAAAAAAAAAAAAAb/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oACAEBAAA/ALMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAH//2Q==',
  'base64',
);

/** The picture itself: nothing here makes it smaller. For what is no picture a blank one, as there. */
export const mailpitThumbnail = useCase({
  about: 'Mailpit: a picture for a list of attachments',
  takes: { ID, PART: text() },
  gives: 'image/jpeg',
  answer: async ({ ask }: ForeignDeps, { PART: part, ...given }) => {
    const listed = await findListed({ ask }, given.ID);
    if (listed === null) return notFound('message not found');
    const url = `/api/messages/${listed.id}/attachments/${encodeURIComponent(part)}`;
    const answer = await ask({ method: 'GET', url });
    if (answer.status !== 200 || pictureTypes.test(answer.headers['content-type'] ?? '')) return answer;
    if (typeof answer.body !== 'string') await answer.body[Symbol.asyncIterator]().return?.();
    return { status: 200, headers: { 'content-type': 'image/jpeg' }, body: piece(blank) };
  },
});

export const mailpitSpamCheck = useCase({
  about: 'Mailpit: a check by SpamAssassin, which is not here',
  takes: { ID },
  gives: anyJson,
  answer: () =>
    refusal(
      501,
      'not-here',
      'a check by SpamAssassin: not here; what decides on mail here is SPF, DKIM and DMARC: "authentication" of GET /api/messages/ID',
    ),
});

async function* piece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Shares in percent. A feature is supported, in part or not by so many of the programs it is known of. */
function htmlCheck({ clients, features, used }: ClientReport) {
  const warnings = features.map(({ slug, title, lacking, partial, known }) => ({
    Slug: slug,
    Title: title,
    Description: '',
    Category: slug.split('-')[0] ?? '',
    Keywords: '',
    Tags: [],
    URL: `https://www.caniemail.com/features/${slug}/`,
    NotesByNumber: {},
    Results: [...lacking.map((client) => result(client, 'no')), ...partial.map((client) => result(client, 'partial'))],
    Score: {
      Found: 1,
      Supported: percent(known - lacking.length - partial.length, known),
      Partial: percent(partial.length, known),
      Unsupported: percent(lacking.length, known),
    },
  }));
  const mean = (share: 'Supported' | 'Partial' | 'Unsupported') =>
    warnings.reduce((sum, { Score }) => sum + Score[share], 0) / Math.max(1, used);
  const families = Map.groupBy(clients, ({ client }) => platformOf(client));
  return {
    Platforms: Object.fromEntries(
      [...families].map(([name, its]) => [name, its.map(({ client }) => familyOf(client))]),
    ),
    Total: {
      Nodes: used,
      Tests: used,
      Supported: 100 - mean('Partial') - mean('Unsupported'),
      Partial: mean('Partial'),
      Unsupported: mean('Unsupported'),
    },
    Warnings: warnings,
  };
}

function result(client: string, Support: 'no' | 'partial') {
  return { Family: familyOf(client), Platform: platformOf(client), Version: '', Name: client, NoteNumber: '', Support };
}

/** `Outlook, Windows Mail`: family and platform. */
function familyOf(client: string): string {
  return client.slice(0, client.lastIndexOf(', '));
}

function platformOf(client: string): string {
  return client
    .slice(client.lastIndexOf(', ') + 2)
    .toLowerCase()
    .replaceAll(' ', '-');
}

function percent(part: number, all: number): number {
  return all === 0 ? 0 : (100 * part) / all;
}
