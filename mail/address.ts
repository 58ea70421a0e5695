// Email addresses as SMTP knows them: local part and domain, ASCII or UTF-8, quoted or not.
// RFC 5321 §4.1.2 and §4.1.3 (syntax), RFC 6531 §3.3 (UTF-8), RFC 5890 (A-labels). Nothing here ever throws.
import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { isProblem, type Problem, problem } from './problem.ts';

declare const brand: unique symbol;
/** A domain in lower-case A-label form (`xn--…`), or an address literal (`[192.0.2.1]`, `[IPv6:2001:db8::1]`). */
export type Domain = string & { readonly [brand]: 'Domain' };

/** An address: the local part as it means (quotes and backslashes taken off), and the domain. */
export type EmailAddress = { readonly localPart: string; readonly domain: Domain };

const maxLocalPartBytes = 64; // RFC 5321 §4.5.3.1.1
const maxDomainBytes = 255; // RFC 5321 §4.5.3.1.2
const atext = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\u{10FFFF}]+$/u;

/** Reads a Mailbox (RFC 5321 §4.1.2), without angle brackets: `a@b.example`, `"odd one"@b.example`, `a@[192.0.2.1]`. */
export function parseAddress(text: string): EmailAddress | Problem {
  const at = text.lastIndexOf('@');
  if (at < 1) return problem('an address needs a local part, an @ and a domain');
  const localPart = parseLocalPart(text.slice(0, at));
  if (isProblem(localPart)) return localPart;
  const domain = parseDomain(text.slice(at + 1));
  if (isProblem(domain)) return domain;
  return { localPart, domain };
}

/** Reads a domain name, ASCII or Unicode, or an address literal in brackets; a trailing dot is taken off. */
export function parseDomain(text: string): Domain | Problem {
  if (text.startsWith('[')) return parseAddressLiteral(text);
  const ascii = domainToASCII(text.replace(/\.$/, '')).toLowerCase();
  const labels = ascii.split('.');
  if (ascii === '' || ascii.length > maxDomainBytes) return problem(`not a domain name: ${shown(text)}`);
  if (!labels.every((label) => /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/.test(label)))
    return problem(`not a domain name: ${shown(text)}`);
  if (/^[0-9]+$/.test(labels.at(-1) ?? '')) return problem(`an IP address as a domain needs brackets: ${shown(text)}`);
  return brandDomain(ascii);
}

/** Writes an address as SMTP wants it: the local part in quotes only where it needs them (RFC 5321 §4.1.2). */
export function formatAddress({ localPart, domain }: EmailAddress): string {
  const isDotString = localPart.split('.').every((atom) => atext.test(atom));
  return `${isDotString ? localPart : `"${localPart.replace(/["\\]/g, '\\$&')}"`}@${domain}`;
}

function parseLocalPart(text: string): string | Problem {
  const value = text.startsWith('"') ? unquote(text) : text;
  if (isProblem(value)) return value;
  if (!text.startsWith('"') && !text.split('.').every((atom) => atext.test(atom))) {
    return problem(`not a local part: ${shown(text)}`);
  }
  if (Buffer.byteLength(text) > maxLocalPartBytes) return problem('a local part has at most 64 octets');
  return value.normalize('NFC');
}

function unquote(text: string): string | Problem {
  const match = /^"((?:[ !#-[\]-~\u0080-\u{10FFFF}]|\\[ -~])*)"$/u.exec(text);
  return match?.[1] === undefined ? problem(`not a quoted string: ${shown(text)}`) : match[1].replace(/\\(.)/g, '$1');
}

function parseAddressLiteral(text: string): Domain | Problem {
  const inner = /^\[(.*)\]$/.exec(text)?.[1] ?? '';
  if (isIPv4(inner)) return brandDomain(`[${inner}]`);
  const v6 = /^IPv6:(.*)$/i.exec(inner)?.[1] ?? '';
  if (isIPv6(v6) && !v6.includes('%')) return brandDomain(`[IPv6:${v6.toLowerCase()}]`);
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
