// Mailpit's routes that read: lists, searches, one message and its parts.
import { z } from 'zod';
import { type Answer, isAnswer, json, notFound, withHeaders } from '#ops/api/answer.ts';
import { text } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
import { releaseRules } from '#ops/releases/release-message.ts';
import {
  askJson,
  countMail,
  eachOf,
  type ForeignDeps,
  findListed,
  findMessages,
  pageParameters,
  plainText,
  readCopies,
  textOf,
} from './ask-api.ts';
import { mailpitHeaders, mailpitMessage, mailpitSummary } from './mailpit-message.ts';
import { fromMailpitSearch, type MailpitSearch } from './mailpit-search.ts';

const anyJson = z.looseObject({});
/** A message id, or `latest`. */
const ID = text();

export const mailpitList = useCase({
  about: 'Mailpit: messages, newest first',
  takes: pageParameters,
  gives: anyJson,
  answer: (deps: ForeignDeps, given) => listAnswer(deps, given),
});

export const mailpitSearch = useCase({
  about: 'Mailpit: messages that a search finds',
  takes: { ...pageParameters, query: text().trim().min(1, 'a search'), tz: text().optional() },
  gives: anyJson,
  answer: (deps: ForeignDeps, { query, tz, start, limit }) =>
    listAnswer(deps, { start, limit, ...fromMailpitSearch(query, tz) }),
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

export const mailpitRaw = useCase({
  about: 'Mailpit: the bytes of a message',
  takes: { ID },
  gives: plainText,
  answer: async (deps: ForeignDeps, given) => {
    const answer = await passOn(deps, given.ID, 'raw');
    return answer.status === 200 ? withHeaders(answer, { 'content-type': plainText }) : answer;
  },
});

/** For a test that looks at the page or clicks in it: links are as the sender wrote them. */
export const mailpitHtml = useCase({
  about: 'Mailpit: the HTML of a message; embed: links open in new tabs',
  takes: { ID, embed: text().optional() },
  gives: 'text/html; charset=utf-8',
  answer: (deps: ForeignDeps, { embed, ...given }) =>
    passOn(deps, given.ID, `html?links=${embed === '1' ? 'new-tab' : 'as-is'}`),
});

export const mailpitText = useCase({
  about: 'Mailpit: the text of a message, or what its HTML says',
  takes: { ID },
  gives: plainText,
  answer: async (deps: ForeignDeps, given) => {
    const listed = await findListed(deps, given.ID);
    const message = listed && (await mailpitMessage(deps, listed));
    if (message === null) return notFound('message not found');
    const headers = { 'content-type': plainText, 'content-security-policy': "sandbox; default-src 'none'" };
    return { status: 200, headers, body: message.Text };
  },
});

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
    const running = healthFacts.parse(JSON.parse(await textOf(await deps.ask({ method: 'GET', url: '/health' }))));
    const activity = activityFacts.parse(
      JSON.parse(await textOf(await deps.ask({ method: 'GET', url: '/api/activity' }))),
    );
    const figures = await textOf(await deps.ask({ method: 'GET', url: '/metrics' }));
    return json({
      Version: 'Pillarbox',
      LatestVersion: 'Pillarbox',
      Database: running.folder,
      DatabaseSize: 0,
      Messages: counts.messages,
      Unread: counts.unread,
      Tags: Object.fromEntries(counts.tags.map(({ name, messages }) => [name, messages])),
      RuntimeStats: {
        Uptime: running.uptimeSeconds,
        Memory: process.memoryUsage.rss(),
        MessagesDeleted: 0,
        SMTPAccepted: sumOf(figures, 'pillarbox_messages_accepted_total'),
        SMTPAcceptedSize: sumOf(figures, 'pillarbox_message_bytes_sum'),
        SMTPRejected: activity.hours.reduce((sum, { refused }) => sum + refused, 0),
        SMTPIgnored: 0,
      },
    });
  },
});

const healthFacts = z.looseObject({ folder: z.string().default(''), uptimeSeconds: z.number().default(0) });
const activityFacts = z.looseObject({ hours: z.array(z.looseObject({ refused: z.number() })) });

/** Of a metric with all its labels, in the text for Prometheus. */
function sumOf(figures: string, name: string): number {
  const lines = figures.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

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

/** For what starts a server and waits until it answers. */
export const mailpitReady = useCase({
  about: 'Mailpit: whether the server answers',
  takes: {},
  gives: plainText,
  answer: async ({ ask }: ForeignDeps) => {
    const { status } = await ask({ method: 'GET', url: '/health' });
    return { status, headers: { 'content-type': plainText }, body: status === 200 ? 'ok' : 'failing' };
  },
});

/** Where the page shows a message. */
export const mailpitPage = useCase({
  about: 'Mailpit: the page of a message',
  takes: { ID },
  gives: plainText,
  status: 302,
  answer: async (deps: ForeignDeps, given) => {
    const listed = await findListed(deps, given.ID);
    if (listed === null) return notFound('message not found');
    return { status: 302, headers: { 'content-type': plainText, location: `/#/mail/${listed.id}` }, body: '' };
  },
});

/** Mailpit says by a regular expression who may get a release. */
function asPattern(allowed: string): string {
  return allowed.replace(/[$()*+.?[\]\\^{|}/-]/g, '\\$&').replace(/^\\\*@/, '.*@');
}

async function passOn({ ask }: ForeignDeps, id: string, what: string): Promise<Answer> {
  const listed = await findListed({ ask }, id);
  return listed === null
    ? notFound('message not found')
    : ask({ method: 'GET', url: `/api/messages/${listed.id}/${what}` });
}

async function listAnswer(
  deps: ForeignDeps,
  query: Partial<MailpitSearch> & { readonly start: number; readonly limit: number },
): Promise<Answer> {
  const counts = await countMail(deps);
  if (isAnswer(counts)) return counts;
  const found = await findMessages(deps, query);
  if (isAnswer(found)) return found;
  const isAll = query.q === undefined;
  const rows = await eachOf(found.messages, (listed) => mailpitSummary(deps, listed));
  const messages = rows.filter((row) => row !== null);
  return json({
    total: counts.messages,
    unread: counts.unread,
    count: messages.length,
    messages_count: isAll ? counts.messages : found.found,
    messages_unread: isAll ? counts.unread : found.unread,
    start: query.start,
    tags: counts.tags.map(({ name }) => name),
    messages,
  });
}
