// The human part of a notification and its subject: what happened, to whom, why in the peer's own words, what to do.
import { formatDateTime } from '#mail/header/date-time.ts';
import type { DsnAction, DsnInput, DsnRecipient } from './dsn.ts';
import { asciiText } from './dsn-fields.ts';

const maxPeerChars = 600;
const lineChars = 72;

/** The actions by how much they matter to the reader; the first that occurs names the whole. */
const order = ['failed', 'delayed', 'relayed', 'expanded', 'delivered'] as const satisfies readonly DsnAction[];

/** A subject that says it: what became of the message. */
export function subjectOf(recipients: readonly DsnRecipient[]): string {
  switch (worst(recipients)) {
    case 'failed':
      return 'Undelivered mail: your message could not be delivered';
    case 'delayed':
      return 'Delayed mail: your message has not been delivered yet';
    case 'relayed':
      return 'Delivery report: your message was handed on';
    case 'expanded':
    case 'delivered':
      return 'Delivery report: your message was delivered';
  }
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
  const first = recipients[0]?.willRetryUntil ?? null;
  const until = first === null ? '' : ` until ${formatDateTime(Date.parse(first))}`;
  const said = isOurFault(recipients) ? ourFault : advice(action, until);
  return [wrap(headline(action)), ...recipients.map(recipientText), wrap(said)].join('\r\n\r\n');
}

function headline(action: DsnAction): string {
  switch (action) {
    case 'failed':
      return 'Your message could NOT be delivered to:';
    case 'delayed':
      return 'Your message has not been delivered yet to:';
    case 'relayed':
      return 'Your message was handed on, to a mail system that sends no delivery reports, for:';
    case 'expanded':
      return 'Your message was delivered to a list or an alias and passed on from there:';
    case 'delivered':
      return 'Your message was delivered to:';
  }
}

const ourFault =
  'Nothing more will be tried by itself. The address need not be wrong: send the message again later, or ask the operator of this mail service.';

/** RFC 3463 §3.4: x.3.0 is the mail system itself; ours, where no other host said so. */
function isOurFault(recipients: readonly DsnRecipient[]): boolean {
  return recipients.every(({ status, remoteMta }) => status === '5.3.0' && remoteMta === null);
}

function advice(action: DsnAction, until: string): string {
  switch (action) {
    case 'failed':
      return 'Nothing more will be tried. Check the address, or ask the recipient in another way; then send the message again.';
    case 'delayed':
      return `You need not do anything: delivery will be tried again${until}. If it fails for good, you will be told.`;
    case 'relayed':
    case 'expanded':
    case 'delivered':
      return 'You asked for this report. You need not do anything.';
  }
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

function worst(recipients: readonly DsnRecipient[]): DsnAction {
  return order.find((action) => recipients.some((recipient) => recipient.action === action)) ?? 'delivered';
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
