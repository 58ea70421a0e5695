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

export const mailpitThumbnail = missing('thumbnails', 'the picture itself is at /api/v1/message/ID/part/PART');
export const mailpitSpamCheck = missing(
  'a check by SpamAssassin',
  'what decides on mail here is SPF, DKIM and DMARC: "authentication" of GET /api/messages/ID',
);

/** 501 with what to use in its place. */
function missing(what: string, instead: string) {
  return useCase({
    about: `Mailpit: ${what}, which is not here`,
    takes: { ID: text(), PART: text().optional() },
    gives: anyJson,
    answer: () => refusal(501, 'not-here', `${what}: not here; ${instead}`),
  });
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
