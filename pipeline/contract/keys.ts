// Every key of the bucket is built and parsed here (design §4). A date in a key is the UTC time of receipt.
import { earliestIdAt, isMessageId, type MessageId } from '#mail/header/message-id.ts';

/** The first folder of a key: lifecycle rules and permissions are by prefix. */
export type KeyPrefix =
  `${MailFolder | 'raw' | 'verdicts' | 'marks' | 'attachments' | 'deliveries' | 'suppressions' | 'destinations' | 'config'}/`;

/** The folders of finished mail. */
export const mailFolders = ['inbox', 'quarantine'] as const;

type MailFolder = (typeof mailFolders)[number];
type Received = { readonly id: MessageId; readonly receivedAt: string };
type Mailbox = { readonly domain: string; readonly localPart: string };

/** Times (ISO 8601) by folder: what is older may be deleted. */
export type KeptSince = Readonly<Partial<Record<KeyPrefix, string>>>;

export const [rawPrefix, marksPrefix, deliveryPrefix, suppressionPrefix] = [
  'raw/',
  'marks/',
  'deliveries/',
  'suppressions/',
] as const;

/** A pattern that the keys of all raw messages match. */
export const rawKeyPattern = 'raw/*.eml';

/** Patterns of which one matches the key of any finished mail. */
export const mailKeyPatterns = ['inbox/*.json', 'quarantine/*.json'] as const;

/** A pattern that the keys of all verdicts match. */
export const verdictKeyPattern = 'verdicts/*.json';

/** Patterns of which one matches the key of any record that delivery keeps. */
export const outboundRecordPatterns = ['deliveries/*.json', 'suppressions/*.json', 'destinations/*.json'] as const;

export const configKey = 'config/pillarbox.json';

/** The key of the copy of the last good configuration. */
export const lastGoodConfigKey = 'config/last-good.json';

/** The key of the options that the deployment was made with (deployed-options.ts). */
export const deployedOptionsKey = 'config/options.json';

/** The password hashes of users, for the listener alone. */
export const passwordHashPrefix = 'config/hashes/';

/** `config/hashes/<id>`; see pipeline/config/stored-hashes.ts. */
export function passwordHashKey(id: string): string {
  return `${passwordHashPrefix}${id}`;
}

/** Versions of the configuration that were in force, the present one among them, in order of time: each stays for a year after it was replaced. */
export const configHistoryPrefix = 'config/history/';

/** `config/history/<version>.json`; the version is the time it was written and the begin of its etag, `20261121T120000Z-1a2b3c4d`. */
export function configHistoryKey({ modifiedAt, etag }: { readonly modifiedAt: string; readonly etag: string }): string {
  const time = modifiedAt.replace(/\.\d+/, '').replaceAll(/[-:]/g, '');
  return historyKeyOf(`${time}-${etag.replaceAll('"', '').slice(0, 8)}`);
}

export function historyKeyOf(version: string): string {
  return `${configHistoryPrefix}${version}.json`;
}

/** The version that a key of {@link configHistoryPrefix} stands for. */
export function historyVersion(key: string): string {
  return key.slice(configHistoryPrefix.length, -'.json'.length);
}

/** `raw/<yyyy>/<mm>/<dd>/<hh>/<id>.eml` */
export function rawKey({ id, receivedAt }: Received): string {
  return `raw/${day(receivedAt)}/${receivedAt.slice(11, 13)}/${id}.eml`;
}

/** `<id>.envelope.json` beside the message: an envelope too large for object metadata. */
export function envelopeKey(rawObjectKey: string): string {
  return rawObjectKey.replace(/\.eml$/, '.envelope.json');
}

/** `verdicts/<yyyy>/<mm>/<dd>/<id>.json`: how a message was judged, where two runs might judge differently. */
export function verdictKey({ id, receivedAt }: Received): string {
  return `verdicts/${day(receivedAt)}/${id}.json`;
}

/** `marks/<yyyy>/<mm>/<dd>/<id>.json`: what people say of a message. */
export function marksKey({ id, receivedAt }: Received): string {
  return `${marksPrefix}${day(receivedAt)}/${id}.json`;
}

/** `inbox/<domain>/<mailbox>/<yyyy>/<mm>/<dd>/<id>.json`, or the same under `quarantine/`. */
export function messageKey(folder: MailFolder, addressed: Received & Mailbox): string {
  return messageKeyBelow(mailboxPrefix(folder, addressed), addressed);
}

/** The same key, by the mailbox's prefix. */
export function messageKeyBelow(prefix: string, { id, receivedAt }: Received): string {
  return `${prefix}${day(receivedAt)}/${id}.json`;
}

/** `inbox/<domain>/<mailbox>/`, or the same under `quarantine/`. */
export function mailboxPrefix(folder: MailFolder, { domain, localPart }: Mailbox): string {
  return `${domainPrefix(folder, domain)}${encodeSegment(localPart)}/`;
}

/** `inbox/<domain>/`, or the same under `quarantine/`. */
export function domainPrefix(folder: MailFolder, domain: string): string {
  return `${folder}/${encodeSegment(domain)}/`;
}

/** `attachments/<yyyy>/<mm>/<dd>/<id>/<n>`; `n` counts from 1, or is `text` or `html` for a large body. */
export function attachmentKey({ id, receivedAt }: Received, n: number | 'text' | 'html'): string {
  return `${attachmentsPrefix({ id, receivedAt })}${n}`;
}

/** `attachments/<yyyy>/<mm>/<dd>/<id>/`: all that is stored of one message. */
export function attachmentsPrefix({ id, receivedAt }: Received): string {
  return `attachments/${day(receivedAt)}/${id}/`;
}

/** `deliveries/<yyyy>/<mm>/<dd>/<id>/<domain>.json` */
export function deliveryKey({ domain, ...received }: Received & { readonly domain: string }): string {
  return `${deliveriesPrefix(received)}${encodeSegment(domain)}.json`;
}

/** `deliveries/<yyyy>/<mm>/<dd>/<id>/`: all destinations of one message. */
export function deliveriesPrefix({ id, receivedAt }: Received): string {
  return `deliveries/${day(receivedAt)}/${id}/`;
}

/** `suppressions/<domain>/<local-part>.json` */
export function suppressionKey({ domain, localPart }: Mailbox): string {
  return `suppressions/${encodeSegment(domain)}/${encodeSegment(localPart)}.json`;
}

/** `suppressions/<domain>.json`: how many addresses the domain refused. */
export function refusalsKey(domain: string): string {
  return `suppressions/${encodeSegment(domain)}.json`;
}

/** `destinations/<destination>.json`: a destination that is backed off. */
export function destinationKey(destination: string): string {
  return `destinations/${encodeSegment(destination)}.json`;
}

/** `destinations/mta-sts%20<domain>.json`: the domain's MTA-STS policy. No destination begins so. */
export function stsPolicyKey(domain: string): string {
  return destinationKey(`mta-sts ${domain}`);
}

/** `destinations/connections%20<destination>.json`: which process may have how many connections to it. No destination begins so. */
export function connectionLeasesKey(destination: string): string {
  return destinationKey(`connections ${destination}`);
}

/** `destinations/%2A.json`: that the network lets no mail out. No destination is called `*`. */
export const blockedPortKey = destinationKey('*');

/** The destination of all mail if it goes to one smarthost; also the fair-queue group of all its jobs. */
export function smarthostDestination(host: string): string {
  return `smarthost ${host}`;
}

/** Sorts before the keys of messages from this time on, in a mailbox, `raw/`, `deliveries/` or `attachments/`. */
export function earliestKey(tree: string, nowMs: number): string {
  const at = new Date(nowMs).toISOString();
  const hour = tree === rawPrefix ? `${at.slice(11, 13)}/` : '';
  return `${tree}${day(at)}/${hour}${earliestIdAt(nowMs)}`;
}

/** When the day of a folder `<tree>yyyy/mm/dd/` begins, in milliseconds since 1970; null if it is not one. */
export function dayOfFolder(tree: string, folder: string): number | null {
  const at = Date.parse(folder.slice(tree.length, -1).replaceAll('/', '-'));
  return Number.isNaN(at) ? null : at;
}

/** Whether it is finished mail: the JSON of one recipient. */
export function isMailKey(key: string): boolean {
  return key.startsWith('inbox/') || key.startsWith('quarantine/');
}

/** Whether it is what people say of a message. */
export function isMarksKey(key: string): boolean {
  return key.startsWith(marksPrefix);
}

export function isDeliveryKey(key: string): boolean {
  return key.startsWith(deliveryPrefix);
}

/** The message that a key is about: the raw message's, a finished one's, or a delivery's; null for any other key. */
export function messageIdOf(key: string): MessageId | null {
  const segments = key.split('/');
  const name = (isDeliveryKey(key) ? segments.at(-2) : segments.at(-1)?.replace(/\.(?:json|eml)$/, '')) ?? '';
  return isMessageId(name) ? name : null;
}

/** The message and the destination that a `deliveries/` key is about; null for any other key. */
export function parseDeliveryKey(key: string): { readonly id: MessageId; readonly domain: string } | null {
  const [, id = '', segment = ''] = /^deliveries\/\d{4}\/\d\d\/\d\d\/([^/]+)\/([^/]+)\.json$/.exec(key) ?? [];
  const domain = decodeSegment(segment);
  return isMessageId(id) && domain !== null ? { id, domain } : null;
}

/** The folder and the mailbox of an `inbox/` or `quarantine/` key; null for any other key. */
export function parseMessageKey(key: string): (Mailbox & { readonly folder: MailFolder }) | null {
  const pattern = /^(inbox|quarantine)\/([^/]+)\/([^/]+)\/\d{4}\/\d\d\/\d\d\/[^/]+\.json$/;
  const [, folder, first = '', second = ''] = pattern.exec(key) ?? [];
  const [domain, localPart] = [decodeSegment(first), decodeSegment(second)];
  if (domain === null || localPart === null) return null;
  return { folder: folder === 'quarantine' ? 'quarantine' : 'inbox', domain, localPart };
}

/** The address that a `suppressions/` key is about; null for any other key. */
export function parseSuppressionKey(key: string): Mailbox | null {
  const [, first = '', second = ''] = /^suppressions\/([^/]+)\/([^/]+)\.json$/.exec(key) ?? [];
  const [domain, localPart] = [decodeSegment(first), decodeSegment(second)];
  return domain !== null && localPart !== null ? { domain, localPart } : null;
}

/**
 * One segment of a key from any text: lower-case letters, digits, `-`, `_`, `.`, `+`, `=` and `@` stand for themselves,
 * every other byte of its UTF-8 is `%XX`; a leading dot is encoded too, so no text can be `.` or `..` or leave its prefix.
 */
function encodeSegment(text: string): string {
  if (/^[A-Za-z0-9_+=@-][A-Za-z0-9_+=@.-]*$/.test(text)) return text;
  let segment = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const char = String.fromCharCode(byte);
    const literal = /[A-Za-z0-9_+=@-]/.test(char) || (char === '.' && segment !== '');
    segment += literal ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return segment;
}

/** The text that a segment was made from; null if it was not made by {@link encodeSegment}. */
function decodeSegment(segment: string): string | null {
  try {
    return segment === '' ? null : decodeURIComponent(segment);
  } catch {
    return null;
  }
}

function day(receivedAt: string): string {
  return receivedAt.slice(0, 10).replaceAll('-', '/');
}
