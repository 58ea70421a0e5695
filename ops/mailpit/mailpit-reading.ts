// Mailpit's routes that read: lists, searches, one message and its parts.
import { z } from 'zod';
import { type Answer, isAnswer, json, notFound } from '#ops/api/answer.ts';
import { text } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
import { releaseRules } from '#ops/releases/release-message.ts';
import {
  askJson,
  countMail,
  type ForeignDeps,
  findListed,
  findMessages,
  pageParameters,
  readCopies,
} from './ask-api.ts';
import { mailpitHeaders, mailpitMessage, mailpitSummary } from './mailpit-message.ts';
import { fromMailpitSearch } from './mailpit-search.ts';

const anyJson = z.looseObject({});
/** A message id, or `latest`. */
const ID = text();

export const mailpitList = useCase({
  about: 'Mailpit: messages, newest first',
  takes: pageParameters,
  gives: anyJson,
  answer: (deps: ForeignDeps, given) => listAnswer(deps, { ...given, q: '' }),
});

export const mailpitSearch = useCase({
  about: 'Mailpit: messages that a search finds',
  takes: { ...pageParameters, query: text(), tz: text().optional() },
  gives: anyJson,
  answer: (deps: ForeignDeps, { query, start, limit }) =>
    listAnswer(deps, { start, limit, q: fromMailpitSearch(query) }),
});

export const mailpitShow = useCase({
  about: 'Mailpit: one message; it is read then',
  takes: { ID },
  gives: anyJson,
  answer: async (deps: ForeignDeps, given) => {
    const listed = await findListed(deps, given.ID);
    const message = listed && (await mailpitMessage(deps, listed));
    if (message === null) return notFound('message not found');
    await deps.ask({ method: 'POST', url: `/api/messages/${message.ID}/read` });
    return json(message);
  },
});

export const mailpitShowHeaders = useCase({
  about: 'Mailpit: the header of a message',
  takes: { ID },
  gives: anyJson,
  answer: async (deps: ForeignDeps, given) => {
    const listed = await findListed(deps, given.ID);
    const [copy] = listed === null ? [] : await readCopies(deps, listed);
    return copy === undefined ? notFound('message not found') : json(mailpitHeaders(copy));
  },
});

export const mailpitRaw = passing('raw', 'the bytes of a message', 'text/plain; charset=utf-8');
export const mailpitHtml = passing('html', 'the HTML of a message');
export const mailpitText = passing('text', 'the text of a message');

export const mailpitPart = useCase({
  about: 'Mailpit: an attachment',
  takes: { ID, PART: text() },
  gives: 'application/octet-stream',
  answer: async (deps: ForeignDeps, { PART: part, ...given }) =>
    passOn(deps, given.ID, ['attachments', part].join('/')),
});

export const mailpitTags = useCase({
  about: 'Mailpit: the tags in use',
  takes: {},
  gives: z.array(z.string()),
  answer: async (deps: ForeignDeps) => {
    const counts = await countMail(deps);
    return isAnswer(counts) ? counts : json(counts.tags.map(({ name }) => name));
  },
});

export const mailpitInfo = useCase({
  about: 'Mailpit: what this is, and how much mail there is',
  takes: {},
  gives: anyJson,
  answer: async (deps: ForeignDeps) => {
    const counts = await countMail(deps);
    if (isAnswer(counts)) return counts;
    return json({
      Version: 'Pillarbox',
      LatestVersion: 'Pillarbox',
      Database: '',
      DatabaseSize: 0,
      Messages: counts.messages,
      Unread: counts.unread,
      Tags: Object.fromEntries(counts.tags.map(({ name, messages }) => [name, messages])),
      RuntimeStats: {
        Uptime: Math.floor(process.uptime()),
        Memory: process.memoryUsage.rss(),
        MessagesDeleted: 0,
        SMTPAccepted: 0,
        SMTPAcceptedSize: 0,
        SMTPRejected: 0,
        SMTPIgnored: 0,
      },
    });
  },
});

export const mailpitWebUi = useCase({
  about: 'Mailpit: what its page may do',
  takes: {},
  gives: anyJson,
  answer: async ({ ask }: ForeignDeps) => {
    const rules = await askJson({ ask }, releaseRules, { method: 'GET', url: '/api/release' });
    if (isAnswer(rules)) return rules;
    const { to, reversePath } = rules.json;
    return json({
      Label: 'Pillarbox',
      ChaosEnabled: true,
      DuplicatesIgnored: false,
      HideDeleteAllButton: false,
      SpamAssassin: false,
      MessageRelay: {
        Enabled: to.length > 0,
        SMTPServer: '',
        ReturnPath: reversePath ?? '',
        AllowedRecipients: to.length > 0 ? `^(?:${to.map(asPattern).join('|')})$` : '',
        BlockedRecipients: '',
        OverrideFrom: '',
        PreserveMessageIDs: true,
      },
    });
  },
});

/** Mailpit says by a regular expression who may get a release. */
function asPattern(allowed: string): string {
  return allowed.replace(/[$()*+.?[\]\\^{|}/-]/g, '\\$&').replace(/^\\\*@/, '.*@');
}

function passing(kind: 'raw' | 'html' | 'text', about: string, contentType?: string) {
  return useCase({
    about: `Mailpit: ${about}`,
    takes: { ID, embed: text().optional() },
    gives: contentType ?? `text/${kind === 'html' ? 'html' : 'plain'}; charset=utf-8`,
    answer: async (deps: ForeignDeps, given) => {
      const answer = await passOn(deps, given.ID, kind);
      if (contentType === undefined || answer.status !== 200) return answer;
      return { ...answer, headers: { ...answer.headers, 'content-type': contentType } };
    },
  });
}

async function passOn({ ask }: ForeignDeps, id: string, what: string): Promise<Answer> {
  const listed = await findListed({ ask }, id);
  return listed === null
    ? notFound('message not found')
    : ask({ method: 'GET', url: `/api/messages/${listed.id}/${what}` });
}

async function listAnswer(
  deps: ForeignDeps,
  query: { readonly q: string; readonly start: number; readonly limit: number },
): Promise<Answer> {
  const counts = await countMail(deps);
  if (isAnswer(counts)) return counts;
  const found = await findMessages(deps, query);
  if (isAnswer(found)) return found;
  const unread = query.q === '' ? counts.unread : found.messages.filter(({ read }) => !read).length;
  const rows = await Promise.all(found.messages.map((listed) => mailpitSummary(deps, listed)));
  const messages = rows.filter((row) => row !== null);
  return json({
    total: counts.messages,
    unread: counts.unread,
    count: messages.length,
    messages_count: query.q === '' ? counts.messages : found.found,
    messages_unread: unread,
    start: query.start,
    tags: counts.tags.map(({ name }) => name),
    messages,
  });
}
