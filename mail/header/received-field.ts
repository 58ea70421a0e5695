// The `Received:` field we put before every message: who handed it to us, how, when, for whom.
// RFC 5321 §4.4 (grammar), RFC 3848 and RFC 6531 §4.3 (`with` words). What the peer said of itself cannot get out of its place.
import { formatAddress, isAsciiAddress, parseAddress, parseDomain } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import { formatDateTime } from './date-time.ts';

/** What the field tells about the session; the `session` of a job fits. */
export type ReceivedSession = {
  readonly role: 'mx' | 'submission' | 'submissions' | 'internal';
  readonly clientIp: string | null;
  readonly clientName: string | null;
  readonly helo: string | null;
  readonly tls: { readonly version: string; readonly cipher: string } | null;
  readonly user: string | null;
};

const maxLineChars = 78; // RFC 5322 §2.1.1

/**
 * Writes the field, folded, CRLF at the end. `receivedAt` is ISO 8601; `forRecipient` the recipient where it is the only
 * one, else null (the others stay private); `esmtp` is false after HELO.
 */
export function formatReceivedField(facts: {
  readonly session: ReceivedSession;
  readonly hostname: string;
  readonly id: string;
  readonly receivedAt: string;
  readonly forRecipient: string | null;
  readonly smtpUtf8: boolean;
  readonly esmtp?: boolean;
}): string {
  const { session, hostname, id, receivedAt, forRecipient, smtpUtf8, esmtp = true } = facts;
  const recipient = forRecipient === null ? '' : forClause(forRecipient, smtpUtf8);
  const words = [
    'Received:',
    ...fromClause(session, hostname),
    `by ${hostname} (Pillarbox)`,
    ...(session.role === 'internal' ? [] : [`with ${withWord(session, esmtp, smtpUtf8)}`]),
    `id ${id}`,
    ...(session.tls === null ? [] : [comment(`${session.tls.version} ${session.tls.cipher}`)]),
    ...(session.user === null ? [] : [comment(`authenticated as ${session.user}`)]),
    ...(recipient === '' ? [] : [recipient]),
  ];
  words[words.length - 1] += ';';
  return fold([...words, formatDateTime(Date.parse(receivedAt))]);
}

/** RFC 3848: ESMTP, S under TLS, A authenticated; RFC 6531 §4.3: UTF8SMTP for a message sent with SMTPUTF8. */
function withWord({ tls, user }: ReceivedSession, esmtp: boolean, smtpUtf8: boolean): string {
  if (!esmtp) return 'SMTP';
  return `${smtpUtf8 ? 'UTF8SMTP' : 'ESMTP'}${tls === null ? '' : 'S'}${user === null ? '' : 'A'}`;
}

/** `from HELO (name [ip])`: From-domain with TCP-info (RFC 5321 §4.4). */
function fromClause({ role, helo, clientName, clientIp }: ReceivedSession, hostname: string): string[] {
  if (role === 'internal') return [`from ${hostname}`];
  const name = clientName === null ? '' : hostOf(clientName);
  const literal = clientIp === null ? '' : addressLiteral(clientIp);
  const info = [name, literal].filter((part) => part !== '').join(' ');
  return [`from ${hostOf(helo ?? '') || 'unknown'}`, ...(info === '' ? [] : [`(${info})`])];
}

/** A host as the peer gave it: as it is where it is a domain or an address literal, else what harmless is left of it. */
function hostOf(text: string): string {
  const domain = parseDomain(text);
  return isProblem(domain) ? text.slice(0, 255).replace(/[^A-Za-z0-9._-]/g, '') : domain;
}

function addressLiteral(ip: string): string {
  const address = ip.replace(/^::ffff:(?=[0-9.]+$)/i, '').replace(/[^0-9A-Fa-f:.]/g, '');
  return address.includes(':') ? `[IPv6:${address}]` : `[${address}]`;
}

function comment(text: string): string {
  return `(${text.slice(0, 254).replace(/[^ -'*-[\]-~]/g, '?')})`;
}

/** An address beyond ASCII is written only into a message that may be UTF-8 throughout (RFC 6532). */
function forClause(forRecipient: string, smtpUtf8: boolean): string {
  const address = parseAddress(forRecipient);
  return isProblem(address) || !(smtpUtf8 || isAsciiAddress(address)) ? '' : `for <${formatAddress(address)}>`;
}

function fold(words: readonly string[]): string {
  let field = '';
  let column = 0;
  for (const word of words) {
    const isNewLine = column > 0 && column + 1 + word.length > maxLineChars;
    field += column === 0 ? word : `${isNewLine ? '\r\n' : ''} ${word}`;
    column = (isNewLine ? 0 : column) + word.length + 1;
  }
  return `${field}\r\n`;
}
