// One attachment as the MIME parser gives it, made into what the JSON says of it: safe name, sound type, content id.
import { Readable } from 'node:stream';
import type { AttachmentStream, MessageText } from 'mailparser';
import type { ProblemList } from '#functions/parse/problems.ts';
import type { ObjectStart } from '#functions/parse/worker/worker-messages.ts';
import { safeFilename } from './safe-filename.ts';

/** An attachment whose bytes are still to be read; `release` lets the parser go on. */
export type IncomingAttachment = {
  readonly start: Extract<ObjectStart, { kind: 'attachment' }>;
  readonly content: Readable;
  readonly release: () => void;
};

/** Where the bytes of one object go; `write` resolves when more may come. */
export type ObjectWriter = { readonly write: (bytes: Uint8Array) => Promise<void>; readonly end: () => void };

/** Begins an object: an attachment, or a body that is too large for the JSON. One of a kind at a time. */
export type OpenObject = (start: ObjectStart) => ObjectWriter;

const token = "[a-z0-9!#$%&'*+.^_`{|}~-]{1,127}";
const mediaType = new RegExp(`^${token}/${token}$`); // RFC 2045 §5.1, lengths of RFC 6838 §4.2
const maxContentIdChars = 255;

/** File name extensions of types that often come without a name. */
const extensions: Readonly<Record<string, string>> = {
  'application/json': '.json',
  'application/ms-tnef': '.dat',
  'application/pdf': '.pdf',
  'application/pgp-encrypted': '.txt',
  'application/pgp-signature': '.asc',
  'application/pkcs7-mime': '.p7m',
  'application/pkcs7-signature': '.p7s',
  'application/zip': '.zip',
  'image/gif': '.gif',
  'image/jpeg': '.jpg',
  'image/png': '.png',
  'message/delivery-status': '.txt',
  'message/disposition-notification': '.txt',
  'message/rfc822': '.eml',
  'text/calendar': '.ics',
  'text/csv': '.csv',
  'text/html': '.html',
  'text/plain': '.txt',
  'text/rfc822-headers': '.txt',
};

/** Understands an item of the parser's output as attachment number `n`; null where it is something else. */
export function readAttachment(
  item: AttachmentStream | MessageText,
  n: number,
  problems: ProblemList,
): IncomingAttachment | null {
  if (item.type !== 'attachment' || !(item.content instanceof Readable)) return null;
  const contentType = readType(item, n, problems);
  const given = item.filename ?? '';
  const filename = safeFilename(given, `attachment-${n}${extensions[contentType] ?? ''}`);
  if (given !== '' && given !== filename) {
    problems.add(
      'attachment-name-changed',
      `the name of attachment ${n} is not safe to save under: ${JSON.stringify(given.slice(0, 100))}`,
    );
  }
  const contentId = (item.cid ?? '').replace(/\s+/g, '').slice(0, maxContentIdChars).toWellFormed();
  const disposition = item.contentDisposition ?? '';
  const inline = disposition === 'inline' || (disposition === '' && item.related === true);
  const attachment = { filename, contentType, contentId: contentId === '' ? null : contentId, inline };
  return { start: { kind: 'attachment', n, attachment }, content: item.content, release: () => item.release() };
}

/** The type that the part declares, not what its name may suggest. */
function readType(item: AttachmentStream, n: number, problems: ProblemList): string {
  const field = item.headers.get('content-type');
  const declared = typeof field === 'object' && 'params' in field ? field.value : '';
  // The parser has `false` for a type that is none, whatever its types say.
  const contentType = (declared || item.contentType || '').toLowerCase().trim();
  if (mediaType.test(contentType)) return contentType;
  problems.add(
    'malformed-content-type',
    `the type of attachment ${n} is not a media type: ${JSON.stringify(contentType.slice(0, 100))}`,
  );
  return 'application/octet-stream';
}
