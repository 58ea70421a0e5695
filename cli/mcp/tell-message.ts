// What an agent is told of a message: who wrote to whom, the text, the code, links and attachments.
import { findCode } from '#ops/content/find-code.ts';
import { labelledLinks } from '#ops/content/find-links.ts';
import type { AskMail } from './ask-mail.ts';
import type { MailPart } from './fence.ts';
import { type BodyKind, bodyKinds, type Mail, pageOf, readBodies, usualBody } from './mail-content.ts';
import type { ToolAnswer } from './mail-tool.ts';
import {
  type Attachment,
  attachmentOf,
  type HeaderField,
  headerField,
  type Link,
  linkOf,
  type MainFields,
  type MessageData,
  mainFields,
} from './message-data.ts';
import { linesWithin, oneLine, type Page } from './readable.ts';

/** Room for each of the lists in an answer, in characters. */
const room = { headers: 20_000, links: 6_000, attachments: 6_000, problems: 2_000 };

export type Told = {
  /** Null: the one that a reader would see first. */
  readonly body: BodyKind | null;
  readonly offset: number;
  readonly limit: number;
  /** Whether all header fields are told. */
  readonly headers: boolean;
};

export const toldUsually: Told = { body: null, offset: 0, limit: 20_000, headers: false };

type ToldMessage = Extract<ToolAnswer<MessageData>, { readonly data: unknown }>;

/** From `offset` on only the rest of the body is told. */
export async function tellMessage(ask: AskMail, mail: Mail, told: Told): Promise<ToldMessage> {
  const body = told.body ?? usualBody(mail);
  const page = body === null ? null : await pageOf(ask, mail, { ...told, body });
  const parts = body === null || page === null ? [] : [bodyPart(body, page, told.offset)];
  const own = ownData(mail, { body, offset: told.offset, next: page?.next ?? null });
  const text = page?.text ?? null;
  const head = [headOf(mail)];
  if (told.offset > 0) {
    return { head, mail: parts, notes: bodyNotes(mail, body, page), data: { ...own, untrusted: { text } } };
  }
  const { fields, headers, links, attachments, problems } = await contentOf(ask, mail, told.headers);
  const lists = [headers, links, attachments, problems].filter((one) => one !== null);
  const untrusted = {
    text,
    ...fields,
    links: links.rows,
    attachments: attachments.rows,
    problems: problems.rows,
    ...(headers === null ? {} : { headers: headers.rows }),
  };
  return {
    head,
    mail: [fieldsPart(fields), ...parts, ...lists.flatMap(({ part }) => (part === null ? [] : [part]))],
    notes: [
      ...bodyNotes(mail, body, page),
      ...otherBodies(mail, body),
      ...lists.flatMap(({ part, left }) => (part === null || left === 0 ? [] : [leftNote(mail, part.name, left)])),
    ],
    data: { ...own, untrusted },
  };
}

function ownData(
  { id, receivedAt, raw, disposition }: Mail,
  page: Pick<MessageData, 'body' | 'offset' | 'next'>,
): Omit<MessageData, 'untrusted'> {
  return { id, receivedAt, bytes: raw.bytes, isQuarantined: disposition.action === 'quarantine', ...page };
}

type Content = {
  readonly fields: MainFields;
  readonly headers: List<HeaderField> | null;
  readonly links: List<Link>;
  readonly attachments: List<Attachment>;
  readonly problems: List<string>;
};

/** `withHeaders`: all of them. */
async function contentOf(ask: AskMail, mail: Mail, withHeaders: boolean): Promise<Content> {
  const { text, html } = await readBodies(ask, mail);
  const bodies = { text: text.text, html: html.text };
  const problems = mail.problems.map(({ code, detail }) => `${oneLine(code, 100)}: ${oneLine(detail)}`);
  return {
    fields: mainFields(mail, findCode({ subject: mail.subject, ...bodies })),
    headers: withHeaders
      ? list('header fields', mail.headers.map(headerField), { lineOf: headerLine, most: room.headers })
      : null,
    links: list('links', labelledLinks(bodies).map(linkOf), { lineOf: linkLine, most: room.links }),
    attachments: list('attachments', mail.attachments.map(attachmentOf), {
      lineOf: attachmentLine,
      most: room.attachments,
    }),
    problems: list('problems that were noted while it was read', problems, {
      lineOf: (line) => line,
      most: room.problems,
    }),
  };
}

function headOf({ id, receivedAt, raw, disposition }: Mail): string {
  const withheld = disposition.action === 'quarantine' ? ', in quarantine (explain_message says why)' : '';
  return `Message ${id}, received ${receivedAt}, ${raw.bytes} bytes${withheld}.`;
}

function fieldsPart({ from, to, cc, replyTo, subject, date, mailbox, oneTimeCode }: MainFields): MailPart {
  const lines = [
    ['From', from.join(', ')],
    ['To', to.join(', ')],
    ['Cc', cc.join(', ')],
    ['Reply-To', replyTo.join(', ')],
    ['Subject', subject ?? ''],
    ['Date that the sender gives', date ?? ''],
    ['Mailbox here', mailbox],
    ['One-time code', oneTimeCode ?? ''],
  ];
  const given = lines.filter(([, value]) => value !== '').map(([name, value]) => `${name}: ${value}`);
  return { name: 'main fields', text: given.join('\n') };
}

function bodyPart(body: BodyKind, { text, next }: Page, offset: number): MailPart {
  const part = offset > 0 || next !== null ? `, characters ${offset} to ${offset + text.length}` : '';
  return { name: `${bodyNames[body]}${part}`, text };
}

const bodyNames: Readonly<Record<BodyKind, string>> = {
  text: 'text',
  html_as_text: 'HTML as text',
  html_source: 'HTML source',
};

function bodyNotes({ id }: Mail, body: BodyKind | null, page: Page | null): readonly string[] {
  if (body === null || page === null) return ['It has neither text nor HTML.'];
  const { next, removed } = page;
  return [
    ...(next === null
      ? []
      : [`The ${bodyNames[body]} is cut and goes on: read_message with id ${id}, body ${body}, offset ${next}.`]),
    ...(removed === 0 ? [] : [`${removed} invisible characters were left out of the ${bodyNames[body]}.`]),
  ];
}

function otherBodies({ text, html }: Mail, body: BodyKind | null): readonly string[] {
  const others = bodyKinds.filter((kind) => kind !== body && (kind === 'text' ? text : html));
  return others.length === 0 ? [] : [`There is also, by read_message with body: ${others.join(', ')}.`];
}

function headerLine({ name, value }: HeaderField): string {
  return `${name}: ${value}`;
}

export function attachmentLine({ number, filename, contentType, bytes, inline }: Attachment): string {
  return `${number}. ${filename} (${contentType}, ${bytes} bytes${inline ? ', shown within the HTML' : ''})`;
}

/** Where it leads, what a reader sees of it, and whether that names another host. */
export function linkLine({ number, address, label, labelNamesAnotherHost }: Link): string {
  const seen = label === '' ? '' : ` (label: ${label})`;
  return `${number}. ${address}${seen}${labelNamesAnotherHost ? ' (NOTE: the label names another host)' : ''}`;
}

/** `rows`: those that have room. `part`: the same as lines, null if there are none at all. */
type List<Row> = { readonly part: MailPart | null; readonly rows: readonly Row[]; readonly left: number };

function list<Row>(
  name: string,
  rows: readonly Row[],
  { lineOf, most }: { readonly lineOf: (row: Row) => string; readonly most: number },
): List<Row> {
  const { text, left } = linesWithin(rows.map(lineOf), most);
  const part = rows.length === 0 ? null : { name: `${name} (${rows.length})`, text };
  return { part, rows: rows.slice(0, rows.length - left), left };
}

function leftNote({ id }: Mail, name: string, left: number): string {
  const more = name.startsWith('links') ? `: list_links with id ${id} has all` : '';
  return `Of the ${name.replace(/ \(\d+\)$/, '')} ${left} are left out${more}.`;
}
