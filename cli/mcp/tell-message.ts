// What an agent is told of a message: who wrote to whom, the text, the code, links and attachments.
import { findCode } from '#ops/content/find-code.ts';
import { type FoundLink, labelledLinks } from '#ops/content/find-links.ts';
import type { AskMail } from './ask-mail.ts';
import type { MailPart } from './fence.ts';
import { type BodyKind, bodyKinds, type Mail, mailboxOf, pageOf, readBodies, usualBody } from './mail-content.ts';
import type { ToolAnswer } from './mail-tool.ts';
import { linesWithin, oneLine, type Page } from './readable.ts';

/** Room for each of the lists in an answer, in characters. */
const room = { headers: 20_000, links: 6_000, attachments: 6_000, problems: 2_000 };
const mostAddresses = 20;

export type Told = {
  /** Null: the one that a reader would see first. */
  readonly body: BodyKind | null;
  readonly offset: number;
  readonly limit: number;
  /** Whether all header fields are told. */
  readonly headers: boolean;
};

export const toldUsually: Told = { body: null, offset: 0, limit: 20_000, headers: false };

/** From `offset` on only the rest of the body is told. */
export async function tellMessage(ask: AskMail, mail: Mail, told: Told): Promise<ToolAnswer> {
  const body = told.body ?? usualBody(mail);
  const page = body === null ? null : await pageOf(ask, mail, { ...told, body });
  const parts = body === null || page === null ? [] : [bodyPart(body, page, told.offset)];
  if (told.offset > 0) return { head: [headOf(mail)], mail: parts, notes: bodyNotes(mail, body, page) };
  const { text, html } = await readBodies(ask, mail);
  const bodies = { text: text.text, html: html.text };
  const lists = [
    told.headers ? list('header fields', mail.headers.map(headerLine), room.headers) : null,
    list('links', labelledLinks(bodies).map(linkLine), room.links),
    list('attachments', mail.attachments.map(attachmentLine), room.attachments),
    list(
      'problems that were noted while it was read',
      mail.problems.map(({ code, detail }) => `${oneLine(code, 100)}: ${oneLine(detail)}`),
      room.problems,
    ),
  ].filter((one) => one !== null);
  return {
    head: [headOf(mail)],
    mail: [
      fieldsPart(mail, findCode({ subject: mail.subject, ...bodies })),
      ...parts,
      ...lists.map(({ part }) => part),
    ],
    notes: [
      ...bodyNotes(mail, body, page),
      ...otherBodies(mail, body),
      ...lists.flatMap(({ part, left }) => (left === 0 ? [] : [leftNote(mail, part.name, left)])),
    ],
  };
}

function headOf({ id, receivedAt, raw, disposition }: Mail): string {
  const withheld = disposition.action === 'quarantine' ? ', in quarantine (explain_message says why)' : '';
  return `Message ${id}, received ${receivedAt}, ${raw.bytes} bytes${withheld}.`;
}

function fieldsPart(mail: Mail, code: string | null): MailPart {
  const { subject, from, to, cc, replyTo, date } = mail;
  const lines = [
    ['From', addresses(from)],
    ['To', addresses(to)],
    ['Cc', addresses(cc)],
    ['Reply-To', addresses(replyTo)],
    ['Subject', oneLine(subject ?? '', 500)],
    ['Date that the sender gives', date ?? ''],
    ['Mailbox here', oneLine(mailboxOf(mail))],
    ['One-time code', code ?? ''],
  ];
  const given = lines.filter(([, value]) => value !== '').map(([name, value]) => `${name}: ${value}`);
  return { name: 'main fields', text: given.join('\n') };
}

function addresses(list: Mail['from']): string {
  const shown = list.slice(0, mostAddresses).map(({ name, address }) => oneLine(`${name} <${address}>`, 200));
  const more = list.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
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

function headerLine({ name, value }: Mail['headers'][number]): string {
  return `${oneLine(name, 100)}: ${oneLine(value, 1_000)}`;
}

export function attachmentLine(
  { filename, contentType, bytes, inline }: Mail['attachments'][number],
  n: number,
): string {
  return `${n + 1}. ${oneLine(filename, 200)} (${oneLine(contentType, 100)}, ${bytes} bytes${inline ? ', shown within the HTML' : ''})`;
}

/** Where it leads, what a reader sees of it, and whether that names another host. */
export function linkLine({ address, label }: FoundLink, n: number): string {
  const shown = oneLine(label, 200);
  const seen = shown === '' ? '' : ` (label: ${shown})`;
  return `${n + 1}. ${oneLine(address, 2_000)}${seen}${misleads(address, label) ? ' (NOTE: the label names another host)' : ''}`;
}

/** Whether the label is an address on a host that is neither that of the link, nor above or below it. */
function misleads(address: string, label: string): boolean {
  const named = /^(?:https?:\/\/)?((?:[\p{L}\p{N}-]+\.)+\p{L}{2,})(?:[:/?#]\S*)?$/iu.exec(label.trim())?.[1];
  if (named === undefined || !URL.canParse(address) || !URL.canParse(`http://${named}`)) return false;
  const [leads, says] = [new URL(address).hostname, new URL(`http://${named}`).hostname];
  return leads !== says && !leads.endsWith(`.${says}`) && !says.endsWith(`.${leads}`);
}

type List = { readonly part: MailPart; readonly left: number };

function list(name: string, lines: readonly string[], most: number): List | null {
  if (lines.length === 0) return null;
  const { text, left } = linesWithin(lines, most);
  return { part: { name: `${name} (${lines.length})`, text }, left };
}

function leftNote({ id }: Mail, name: string, left: number): string {
  const more = name.startsWith('links') ? `: list_links with id ${id} has all` : '';
  return `Of the ${name.replace(/ \(\d+\)$/, '')} ${left} are left out${more}.`;
}
