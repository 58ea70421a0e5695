// The parts of a notification that say what happened: one for people (to whom, why in the peer's own words, what to do)
// with its subject, and one for programs, message/delivery-status (RFC 3464 §2), in UTF-8 as RFC 6533 §3 has it.
import { formatDateTime } from '#mail/header/date-time.ts';
import { encodeUtf8Address } from '#mail/smtp/xtext.ts';
import type { DsnAction, DsnInput, DsnRecipient } from './dsn-input.ts';

const maxPeerChars = 600;
const lineChars = 72;

/** The actions in order of importance; the first that occurs decides the subject. */
const order = ['failed', 'delayed', 'relayed', 'expanded', 'delivered'] as const satisfies readonly DsnAction[];

const asked = 'You asked for this report. You need not do anything.';

/** What is said of each action: in the subject, above the recipients, and below them (`{until}`: when the tries end). */
const words: Readonly<
  Record<DsnAction, { readonly subject: string; readonly headline: string; readonly advice: string }>
> = {
  failed: {
    subject: 'Undelivered mail: your message could not be delivered',
    headline: 'Your message could NOT be delivered to:',
    advice:
      'Nothing more will be tried. Check the address, or ask the recipient in another way; then send the message again.',
  },
  delayed: {
    subject: 'Delayed mail: your message has not been delivered yet',
    headline: 'Your message has not been delivered yet to:',
    advice: 'You need not do anything: delivery will be tried again{until}. If it fails for good, you will be told.',
  },
  relayed: {
    subject: 'Delivery report: your message was handed on',
    headline: 'Your message was handed on, to a mail system that sends no delivery reports, for:',
    advice: asked,
  },
  expanded: {
    subject: 'Delivery report: your message was delivered',
    headline: 'Your message was delivered to a list or an alias and passed on from there:',
    advice: asked,
  },
  delivered: {
    subject: 'Delivery report: your message was delivered',
    headline: 'Your message was delivered to:',
    advice: asked,
  },
};

/** The subject, which says what became of the message. */
export function subjectOf(recipients: readonly DsnRecipient[]): string {
  const worst = order.find((action) => recipients.some((recipient) => recipient.action === action));
  return words[worst ?? 'delivered'].subject;
}

/** The text, lines wrapped, CRLF line ends, UTF-8 only where an address is. */
export function humanPart({ hostname, arrivalAt, recipients }: DsnInput): string {
  const introduction = `This is the mail service at ${hostname}.`;
  const about = `It is about the message you sent on ${formatDateTime(Date.parse(arrivalAt))}.`;
  const sections = order.flatMap((action) => {
    const affected = recipients.filter((recipient) => recipient.action === action);
    return affected.length === 0 ? [] : [section(action, affected)];
  });
  return [wrap(`${introduction} ${about}`), ...sections].join('\r\n\r\n').concat('\r\n');
}

function section(action: DsnAction, recipients: readonly DsnRecipient[]): string {
  const until = recipients[0]?.willRetryUntil ?? null;
  const { headline, advice } = words[action];
  const dated = advice.replace('{until}', until === null ? '' : ` until ${formatDateTime(Date.parse(until))}`);
  const said = isOurFault(recipients) ? ourFault : dated;
  return [wrap(headline), ...recipients.map(recipientText), wrap(said)].join('\r\n\r\n');
}

const ourFault =
  'Nothing more will be tried by itself. The address need not be wrong: send the message again later, or ask the operator of this mail service.';

/** RFC 3463 §3.4: x.3.0 is the mail system itself; ours, where no other host said so. */
function isOurFault(recipients: readonly DsnRecipient[]): boolean {
  return recipients.every(({ status, remoteMta }) => status === '5.3.0' && remoteMta === null);
}

function recipientText(recipient: DsnRecipient): string {
  const { finalRecipient, explanation, remoteMta, diagnostic } = recipient;
  const written = addressWritten(recipient);
  const peer = remoteMta === null ? 'The mail server' : `The mail server ${asciiText(remoteMta, 255)}`;
  return [
    `  <${shownAddress(finalRecipient)}>`,
    ...(written === null ? [] : [`    (you wrote to <${shownAddress(written)}>)`]),
    ...(explanation === '' ? [] : [wrap(asciiText(explanation, maxPeerChars), '    ')]),
    ...(diagnostic === null ? [] : [wrap(`${peer} said: ${asciiText(diagnostic, maxPeerChars)}`, '    ')]),
  ].join('\r\n');
}

/** The address the sender used, where that is another one. */
function addressWritten({ originalRecipient, finalRecipient }: DsnRecipient): string | null {
  const written = originalRecipient?.replace(/^[^;]*;/, '') ?? '';
  return written === '' || written.toLowerCase() === finalRecipient.toLowerCase() ? null : written;
}

function shownAddress(address: string): string {
  return address.replace(/[\p{Cc}\p{Cs}<>]/gu, '?').slice(0, 320);
}

function wrap(text: string, indent = ''): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > lineChars) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => `${indent}${each}`).join('\r\n');
}

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
