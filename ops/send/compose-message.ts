// Writes a message from its parts: text, HTML, attachments (RFC 5322, RFC 2045). Its own fields are ours to write, so that the
// header says what the envelope says; Bcc is in no header.
import MailComposer from 'nodemailer/lib/mail-composer/index.js';
import { type EmailAddress, formatAddress } from '#mail/address/address.ts';

/** An address with the name to show; empty: none. */
export type NamedAddress = { readonly name: string; readonly address: EmailAddress };

/** `contentId`: what HTML names it by (`cid:…`), without angle brackets; then it is shown inline. */
export type OutgoingAttachment = {
  readonly filename: string | null;
  readonly contentType: string | null;
  readonly contentId: string | null;
  readonly content: Uint8Array;
};

/** `headers`: further fields, in order. */
export type OutgoingMessage = {
  readonly from: NamedAddress;
  readonly to: readonly NamedAddress[];
  readonly cc: readonly NamedAddress[];
  readonly replyTo: readonly NamedAddress[];
  readonly subject: string;
  readonly text: string | null;
  readonly html: string | null;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly attachments: readonly OutgoingAttachment[];
};

/** The whole message, lines ending in CRLF, with Message-ID and Date unless `headers` has them. */
export function composeMessage(message: OutgoingMessage): Promise<Buffer> {
  const { from, to, cc, replyTo, subject, text, html, headers, attachments } = message;
  const composer = new MailComposer({
    from: written(from),
    to: to.map(written),
    cc: cc.map(written),
    replyTo: replyTo.map(written),
    subject,
    ...(text === null && html !== null ? {} : { text: text ?? '' }),
    ...(html === null ? {} : { html }),
    headers: headers.map(({ name, value }) => ({ key: name, value })),
    attachments: attachments.map(({ filename, contentType, contentId, content }) => ({
      filename: filename ?? false,
      content: Buffer.from(content),
      ...(contentType === null ? {} : { contentType }),
      ...(contentId === null ? {} : { cid: contentId, contentDisposition: 'inline' as const }),
    })),
    newline: 'windows',
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return composer.compile().build();
}

function written({ name, address }: NamedAddress): { readonly name: string; readonly address: string } {
  return { name, address: formatAddress(address) };
}
