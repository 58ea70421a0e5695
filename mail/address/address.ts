// Email addresses as SMTP knows them: local part and domain, ASCII or UTF-8, quoted or not, and the paths of MAIL and RCPT.
// RFC 5321 §4.1.2 and §4.1.3 (syntax), RFC 6531 §3.3 (UTF-8), RFC 5890 (A-labels). Nothing here ever throws,
// and nothing takes more than linear time.
import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { isProblem, type Problem, problem } from '#mail/problem.ts';

declare const brand: unique symbol;
/** A domain in lower-case A-label form (`xn--…`), or an address literal (`[192.0.2.1]`, `[IPv6:2001:db8::1]`). */
export type Domain = string & { readonly [brand]: 'Domain' };

/** An address: the local part as it means (quotes and backslashes taken off, case kept), and the domain. */
export type EmailAddress = { readonly localPart: string; readonly domain: Domain };

const maxAddressBytes = 254; // RFC 5321 §4.5.3.1.3: a path has 256 octets, its angle brackets among them
const maxDomainBytes = 255; // RFC 5321 §4.5.3.1.2
const atom = /^(?:[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]|[^\0-\x7f])+$/u;
const dotAtom = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*$/;
const plainDomain = /^(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*$/;
const quoted = /^"((?:[ !#-[\]-~]|[^\0-\x7f]|\\[ -~])*)"$/u;
// Beyond ASCII everything is allowed that is a character to be seen: no controls, separators, halves of surrogate
// pairs, marks that turn the direction of writing, nor the sign that stands for undecodable bytes.
const unseen = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\uffff]/u;

/**
 * Reads a Mailbox (RFC 5321 §4.1.2), without angle brackets: `a@b.example`, `"odd one"@b.example`, `a@[192.0.2.1]`.
 * At most 254 octets in all; the 64 of a local part are asked of forward-paths only (mail/address/path.ts), for senders' VERP
 * addresses are longer in practice.
 */
export function parseAddress(text: string): EmailAddress | Problem {
  if (text.length > maxAddressBytes * 2) return problem('an address has at most 254 octets');
  const at = text.lastIndexOf('@');
  if (at < 1) return problem('an address needs a local part, an @ and a domain');
  const localPart = parseLocalPart(text.slice(0, at));
  if (isProblem(localPart)) return localPart;
  const domain = parseDomain(text.slice(at + 1));
  if (isProblem(domain)) return domain;
  const address = { localPart, domain };
  if (isLong(address) && Buffer.byteLength(formatAddress(address)) > maxAddressBytes)
    return problem('an address has at most 254 octets');
  return address;
}

/** Could it be too long at all? A character has three octets of UTF-8 at most, or two where it needs a backslash. */
function isLong({ localPart, domain }: EmailAddress): boolean {
  return localPart.length * 3 + domain.length + 3 > maxAddressBytes;
}

/** Reads a domain name, ASCII or Unicode, or an address literal in brackets; a trailing dot is taken off. */
export function parseDomain(text: string): Domain | Problem {
  if (text.length > maxDomainBytes * 2) return problem('a domain has at most 255 octets');
  if (isPlainDomain(text)) return brandDomain(text);
  if (text.startsWith('[')) return parseAddressLiteral(text);
  const labels = text.replace(/\.$/, '').split('.').map(toALabel);
  const ascii = labels.join('.');
  if (labels.includes(null) || ascii.length > maxDomainBytes) return problem(`not a domain name: ${shown(text)}`);
  if (/^[0-9]+$/.test(labels.at(-1) ?? '')) return problem(`an IP address as a domain needs brackets: ${shown(text)}`);
  return brandDomain(ascii);
}

/** Writes an address as SMTP wants it: the local part in quotes only where it needs them (RFC 5321 §4.1.2). */
export function formatAddress({ localPart, domain }: EmailAddress): string {
  const isDotString = dotAtom.test(localPart) || localPart.split('.').every((part) => atom.test(part));
  return `${isDotString ? localPart : `"${localPart.replace(/["\\]/g, '\\$&')}"`}@${domain}`;
}

/** Says whether an address can be written without SMTPUTF8 (RFC 6531): its local part is ASCII. */
export function isAsciiAddress({ localPart }: EmailAddress): boolean {
  return /^[\0-\x7f]*$/.test(localPart);
}

/** The name a local part is looked up by in the configuration: lower case, NFC. Also for names in the configuration itself. */
export function mailboxName(localPart: string): string {
  return localPart.toLowerCase().normalize('NFC');
}

/** Takes the `+tag` off a local part: what stands before the first `+`, and what follows it (null where nothing does). */
export function splitTag(localPart: string): { readonly name: string; readonly tag: string | null } {
  const plus = localPart.indexOf('+');
  if (plus < 1) return { name: localPart, tag: null };
  return { name: localPart.slice(0, plus), tag: localPart.slice(plus + 1) || null };
}

function parseLocalPart(text: string): string | Problem {
  if (dotAtom.test(text)) return text;
  const value = text.startsWith('"') ? unquote(text) : text;
  if (isProblem(value)) return value;
  if (!text.startsWith('"') && !text.split('.').every((part) => atom.test(part))) {
    return problem(`not a local part: ${shown(text)}`);
  }
  // `""@example.org` is allowed by the grammar; nobody has it, and nothing can be called by it.
  if (value === '' || unseen.test(value)) return problem(`not a local part: ${shown(text)}`);
  return value;
}

function unquote(text: string): string | Problem {
  const match = quoted.exec(text);
  return match?.[1] === undefined ? problem(`not a quoted string: ${shown(text)}`) : match[1].replace(/\\(.)/gu, '$1');
}

/**
 * One label in lower-case ASCII, or null. Only labels beyond ASCII go through the URL standard's conversion, each by
 * itself and each to an `xn--` form: on whole names it turns numbers into IP addresses, decodes `%41`, stops at `/`.
 */
function toALabel(label: string): string | null {
  if (/^[\0-\x7f]*$/.test(label)) return isLabel(label) ? label.toLowerCase() : null;
  if (/[\0-,./:-@[-^`{-\x7f]/.test(label) || unseen.test(label)) return null;
  const [converted = '', ...rest] = domainToASCII(`${label}.invalid`).split('.');
  return rest.length === 1 && converted.startsWith('xn--') && isLabel(converted) ? converted : null;
}

// The underscore is no letter of host names (RFC 5321 §2.3.5), but there are hosts in the wild that have it.
function isLabel(label: string): boolean {
  return /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/.test(label);
}

/** The usual case, told without taking the name apart: labels as `isLabel` wants them, in lower case, no IP address. */
function isPlainDomain(text: string): boolean {
  return text.length <= maxDomainBytes && plainDomain.test(text) && !/(?:^|\.)[0-9]+$/.test(text);
}

function parseAddressLiteral(text: string): Domain | Problem {
  const inner = text.endsWith(']') ? text.slice(1, -1) : '';
  if (isIPv4(inner)) return brandDomain(`[${inner}]`);
  const v6 = /^IPv6:([0-9a-f:.]+)$/i.exec(inner)?.[1] ?? '';
  if (isIPv6(v6)) return brandDomain(`[IPv6:${v6.toLowerCase()}]`);
  return problem(`not an address literal: ${shown(text)}`);
}

function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function brandDomain(text: string): Domain {
  const isDomain = (candidate: string): candidate is Domain => candidate === text;
  if (!isDomain(text)) throw new Error('unreachable');
  return text;
}
