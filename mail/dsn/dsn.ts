// Delivery status notifications (DSN): the report to a sender of what became of a message.
// RFC 3464 (fields), RFC 3461 (who gets which, what is returned), RFC 6522 (multipart/report), RFC 6533 (UTF-8),
// RFC 3834 (automatic messages). What the peer said goes in as text that cannot become anything else.
import { isAscii } from 'node:buffer';
import { formatDateTime } from '#mail/header/date-time.ts';
import { fieldsNamed, fieldText } from '#mail/header/header-fields.ts';
import { readHeader } from '#mail/header/read-header.ts';
import { normaliseLineEndings } from '#mail/smtp/line-endings.ts';
import type { DsnAction, DsnInput } from './dsn-input.ts';
import { deliveryStatus, humanPart, printableAscii, subjectOf, withoutControls } from './report-parts.ts';

const maxReturnedBytes = 1_048_576;
const maxReturnedUnaskedBytes = 51_200; // Postfix' default where RET says nothing
/** Of the original's header. */
const returnedLimits = { headerBytes: 65_536, fields: 1_000, fieldBytes: 65_536 };
const maxLineBytes = 998; // RFC 5322 §2.1.1

/** The octets of an original that suffice for composeDsn, from its beginning. */
export const originalBytesNeeded: number = maxReturnedBytes;

/** Writes the notification: header, CRLF, multipart/report. Lines end in CRLF; 8-bit where the parts say so. */
export function composeDsn(input: DsnInput): Uint8Array {
  const returned = returnedPart(input);
  const status = Buffer.from(deliveryStatus(input));
  const human = Buffer.from(humanPart(input));
  const parts = [
    part(['Content-Type: text/plain; charset=utf-8', 'Content-Description: Notification'], human),
    part(
      [
        // The UTF-8 forms of RFC 6533 only where there is UTF-8 in them: many readers do not know them.
        `Content-Type: message/${isEightBit(status) ? 'global-delivery-status' : 'delivery-status'}`,
        'Content-Description: Delivery report',
      ],
      status,
    ),
    part([`Content-Type: ${returned.type}`, `Content-Description: ${returned.description}`], returned.bytes),
  ];
  const boundary = unusedBoundary(input.boundary, Buffer.concat(parts));
  const delimiter = Buffer.from(`\r\n--${boundary}\r\n`);
  const header = messageHeader(input, boundary, parts.some(isEightBit));
  return Buffer.concat([
    Buffer.from(`${header}\r\nThis is a delivery report in MIME format.\r\n`),
    ...parts.flatMap((bytes) => [delimiter, bytes]),
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
}

/**
 * Whether the sender is told of this action (RFC 3461 §4.1): of failures and delays if NOTIFY asks for them or is absent, of success
 * only if NOTIFY asks for it; of nothing for NEVER or a null reverse-path.
 */
export function isReportWanted(reversePath: string, action: DsnAction, notify: readonly string[] | null): boolean {
  if (reversePath === '') return false; // RFC 5321 §4.5.5: no bounce of a bounce
  if (notify?.includes('never')) return false;
  switch (action) {
    case 'failed':
      return notify === null || notify.includes('failure');
    case 'delayed':
      return notify === null || notify.includes('delay');
    case 'delivered':
    case 'relayed':
    case 'expanded':
      return notify?.includes('success') ?? false;
  }
}

function messageHeader(input: DsnInput, boundary: string, hasEightBit: boolean): string {
  const { hostname, to, id, now, smtpUtf8 } = input;
  const original = originalMessageId(input.original);
  return [
    `From: Mail Delivery System <MAILER-DAEMON@${hostname}>`,
    `To: <${smtpUtf8 ? withoutControls(to) : printableAscii(to)}>`,
    `Subject: ${subjectOf(input.recipients)}`,
    `Date: ${formatDateTime(Date.parse(now))}`,
    `Message-ID: <${id}@${hostname}>`,
    ...(original === null ? [] : [`In-Reply-To: ${original}`, `References: ${original}`]),
    'Auto-Submitted: auto-replied', // RFC 3834 §5
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status;',
    `\tboundary="${boundary}"`,
    ...(hasEightBit ? ['Content-Transfer-Encoding: 8bit'] : []),
    '',
  ].join('\r\n');
}

/** The original's Message-ID, where it is one and short (RFC 3834 §3.1.5: In-Reply-To). */
function originalMessageId(original: Uint8Array): string | null {
  const [field] = fieldsNamed(readHeader(original, returnedLimits).fields, 'message-id');
  return (field && /^<[!-;=?-~]{3,250}>$/.exec(fieldText(field))?.[0]) ?? null;
}

function part(header: readonly string[], bytes: Uint8Array): Buffer {
  const encoding = isEightBit(bytes) ? ['Content-Transfer-Encoding: 8bit'] : [];
  return Buffer.concat([Buffer.from(`${[...header, ...encoding].join('\r\n')}\r\n\r\n`), bytes]);
}

type Returned = { readonly type: string; readonly description: string; readonly bytes: Uint8Array };

/**
 * The whole message where it is asked for and fits (RFC 3461 §4.3), or small and nothing was said, and may travel in
 * 8-bit lines; only its header otherwise, and always where nothing failed.
 */
function returnedPart({ ret, original, originalBytes, recipients, smtpUtf8 }: DsnInput): Returned {
  const cap = ret === 'full' ? maxReturnedBytes : maxReturnedUnaskedBytes;
  const isWhole = original.length >= originalBytes && originalBytes <= cap;
  const header = returnedHeader(original);
  const isGlobal = smtpUtf8 && isEightBit(header);
  const hasFailed = recipients.some(({ action }) => action === 'failed');
  if (ret !== 'hdrs' && hasFailed && isWhole && isLineOriented(original)) {
    const bytes = normaliseLineEndings(original);
    return { type: isGlobal ? 'message/global' : 'message/rfc822', description: 'Undelivered message', bytes };
  }
  return {
    type: isGlobal ? 'message/global-headers' : 'text/rfc822-headers',
    description: 'Message header',
    bytes: header,
  };
}

/** The header, capped; fields that were cut, have lines too long to travel, or NUL, are left out. */
function returnedHeader(original: Uint8Array): Uint8Array {
  const { fields } = readHeader(original, returnedLimits);
  const whole = fields.filter(({ raw, bytes }) => raw.length === bytes && !raw.includes(0));
  return Buffer.concat(whole.map(({ raw }) => normaliseLineEndings(raw)).filter(isLineOriented));
}

/** Whether it can travel as lines: no NUL, none longer than 998 octets. */
function isLineOriented(bytes: Uint8Array): boolean {
  if (bytes.includes(0)) return false;
  for (let start = 0; start < bytes.length; ) {
    const lf = bytes.indexOf(0x0a, start);
    const end = lf === -1 ? bytes.length : lf;
    if (end - start > maxLineBytes + 1) return false;
    start = end + 1;
  }
  return true;
}

function isEightBit(bytes: Uint8Array): boolean {
  return !isAscii(bytes);
}

function unusedBoundary(wanted: string, content: Buffer): string {
  const base = wanted.replace(/[^A-Za-z0-9]/g, '').slice(0, 60) || 'report';
  let boundary = base;
  for (let n = 1; content.includes(`--${boundary}`); n++) boundary = `${base}${n}`;
  return boundary;
}
