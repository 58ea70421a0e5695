// The machine-readable part of a notification: message/delivery-status (RFC 3464 §2), in UTF-8 as RFC 6533 §3 has it.
import { formatDateTime } from '#mail/header/date-time.ts';
import { encodeUtf8Address } from '#mail/smtp/xtext.ts';
import type { DsnInput, DsnRecipient } from './dsn.ts';

const maxDiagnosticChars = 1_000;
const maxLineChars = 78;

/** Writes the fields: those of the message, then an empty line and those of each recipient. */
export function deliveryStatus(input: DsnInput): string {
  const { hostname, envid, arrivalAt, recipients } = input;
  const perMessage = [
    `Reporting-MTA: dns; ${hostname}`,
    ...optional('Original-Envelope-Id', envid === null ? null : asciiText(envid, 100)),
    `Arrival-Date: ${dateOf(arrivalAt)}`,
  ];
  const groups = [perMessage, ...recipients.map((recipient) => perRecipient(recipient, input.smtpUtf8))];
  return groups.map((lines) => lines.map((line) => `${fold(line)}\r\n`).join('')).join('\r\n');
}

/** A text with `?` for each control character and half of a surrogate pair: it stays on its line. */
export function withoutControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu, '?');
}

/** A text with `?` for all that is not printable ASCII. */
export function printableAscii(text: string): string {
  return text.replace(/[^ -~]/gu, '?');
}

/** Printable ASCII of a text: anything else is a `?`, runs of white space one space, at most `maxChars`. */
export function asciiText(text: string, maxChars: number): string {
  return text
    .slice(0, maxChars * 4)
    .replace(/\s+/g, ' ')
    .replace(/[^ -~]/gu, '?')
    .trim()
    .slice(0, maxChars);
}

function perRecipient(recipient: DsnRecipient, smtpUtf8: boolean): string[] {
  const { originalRecipient, finalRecipient, action, status, remoteMta, diagnostic } = recipient;
  return [
    ...optional('Original-Recipient', originalRecipient === null ? null : typed(originalRecipient, smtpUtf8)),
    `Final-Recipient: ${typed(typeOf(finalRecipient), smtpUtf8)}`,
    `Action: ${action}`,
    `Status: ${/^[245]\.\d{1,3}\.\d{1,3}$/.test(status) ? status : '5.0.0'}`,
    ...optional('Remote-MTA', remoteMta === null ? null : `dns; ${asciiText(remoteMta, 255)}`),
    ...optional('Diagnostic-Code', diagnostic === null ? null : `smtp; ${asciiText(diagnostic, maxDiagnosticChars)}`),
    ...optional('Last-Attempt-Date', recipient.lastAttemptAt === null ? null : dateOf(recipient.lastAttemptAt)),
    ...optional('Will-Retry-Until', recipient.willRetryUntil === null ? null : dateOf(recipient.willRetryUntil)),
  ];
}

function typeOf(address: string): string {
  return `${/^[\0-\x7f]*$/.test(address) ? 'rfc822' : 'utf-8'};${address}`;
}

/** `type; address`; an address beyond ASCII as it is where the notification is UTF-8, else escaped (RFC 6533 §3). */
function typed(text: string, smtpUtf8: boolean): string {
  const semicolon = text.indexOf(';');
  const type = asciiText(text.slice(0, semicolon), 40);
  const address = withoutControls(text.slice(semicolon + 1, semicolon + 501));
  if (type !== 'utf-8') return `${type};${printableAscii(address)}`;
  return `${type};${smtpUtf8 ? address : encodeUtf8Address(address)}`;
}

function optional(name: string, value: string | null): string[] {
  return value === null || value === '' ? [] : [`${name}: ${value}`];
}

function dateOf(at: string): string {
  return formatDateTime(Date.parse(at));
}

/** Folds at spaces (RFC 5322 §2.2.3); a word longer than a line is cut, so that no line exceeds what may travel. */
function fold(line: string): string {
  const lines: string[] = [];
  let current = '';
  for (const word of line.split(' ').flatMap((text) => text.match(/.{1,900}/gsu) ?? [''])) {
    if (current !== '' && current.length + 1 + word.length > maxLineChars && !current.endsWith(':')) {
      lines.push(current);
      current = ` ${word}`;
    } else current = current === '' ? word : `${current} ${word}`;
  }
  return [...lines, current].join('\r\n');
}
