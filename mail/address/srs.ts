// The Sender Rewriting Scheme: a forwarded message leaves with a reverse-path of ours, so that SPF holds, and its
// bounces find their way back to the sender. SRS0=hash=timestamp=domain=local@ours; where the sender is already an SRS
// address of another forwarder, SRS1=hash=domain==rest@ours points to that one. No state: the hash is the permission.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { isProblem } from '#mail/problem.ts';
import { type EmailAddress, formatAddress, parseAddress, parseDomain } from './address.ts';

const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const hashChars = 8; // 40 bits
const validDays = 21; // longer than any queue keeps mail
const dayMs = 86_400_000;
const timestampDays = 1_024; // two characters of base 32
const separator = /^[=+-]$/;

/** What an address at one of our domains means as an SRS address. */
export type SrsReverse =
  | { readonly outcome: 'address'; readonly reversePath: string }
  | { readonly outcome: 'refused'; readonly reason: string }
  | { readonly outcome: 'not-srs' };

/**
 * The reverse-path for forwarding a message on. The null path stays null, a path at `ownDomain` as it is. Where the
 * address would exceed the 254 octets of a path, the answer is the null path: the mail gets through, its bounce would not.
 */
export function srsForward(reversePath: string, ownDomain: string, secret: string, nowMs: number): string {
  const address = parseAddress(reversePath);
  if (isProblem(address) || address.domain === ownDomain) return reversePath;
  const localPart = forwardLocalPart(address, secret, nowMs);
  const rewritten = parseAddress(formatAddressText(localPart, ownDomain));
  return isProblem(rewritten) ? '' : formatAddress(rewritten);
}

/**
 * The reverse-path for forwarding a message whose sender is not to be told (not proven, or wants no report): an address of
 * ours that leads back to nobody. It names the message, so that who reads it in another host's log finds ours.
 */
export function srsForwardOfNobody(ownDomain: string, messageId: string): string {
  return `SRS0=nobody=${messageId}@${ownDomain}`;
}

/** Turns an SRS address of ours back into the address it was made of. Case does not matter (some hosts change it). */
export function srsReverse(address: EmailAddress, secret: string, nowMs: number): SrsReverse {
  const { localPart } = address;
  if (!separator.test(localPart.charAt(4))) return { outcome: 'not-srs' };
  switch (localPart.slice(0, 4).toUpperCase()) {
    case 'SRS0':
      return reverseFirst(localPart.slice(5), secret, nowMs);
    case 'SRS1':
      return reverseSecond(localPart.slice(5), secret);
    default:
      return { outcome: 'not-srs' };
  }
}

function forwardLocalPart({ localPart, domain }: EmailAddress, secret: string, nowMs: number): string {
  const kind = separator.test(localPart.charAt(4)) ? localPart.slice(0, 4).toUpperCase() : '';
  if (kind === 'SRS0') {
    const rest = localPart.slice(4); // its separator included: the first forwarder must find it as it made it
    return `SRS1=${hash(secret, domain, rest)}=${domain}=${rest}`;
  }
  const second = kind === 'SRS1' ? splitSecond(localPart.slice(5)) : null;
  if (second !== null) return `SRS1=${hash(secret, second.domain, second.rest)}=${second.domain}=${second.rest}`;
  const stamp = timestamp(nowMs);
  return `SRS0=${hash(secret, stamp, domain, localPart)}=${stamp}=${domain}=${localPart}`;
}

/** Behind `SRS0=`: hash, timestamp, domain, and the local part, which may hold any number of `=`. */
function reverseFirst(text: string, secret: string, nowMs: number): SrsReverse {
  const match = /^([A-Z2-7]{8})=([A-Z2-7]{2})=([^=]+)=(.+)$/is.exec(text);
  if (/^nobody=/i.test(text)) return refused('nobody is to be told what became of what was forwarded');
  const [, given = '', stamp = '', domain = '', localPart = ''] = match ?? [];
  if (match === null) return refused('it is not complete');
  if (!isSame(given, hash(secret, stamp, domain, localPart))) return refused('its signature is wrong');
  const ageDays = (today(nowMs) - readTimestamp(stamp) + timestampDays) % timestampDays;
  // A clock may be a little behind that of the host which made it.
  if (ageDays > validDays && ageDays !== timestampDays - 1) return refused('it has expired');
  return addressOf(localPart, domain);
}

/** Behind `SRS1=`: hash, the first forwarder's domain, and what stood behind its `SRS0`. */
function reverseSecond(text: string, secret: string): SrsReverse {
  const second = splitSecond(text);
  if (second === null) return refused('it is not complete');
  if (!isSame(second.given, hash(secret, second.domain, second.rest))) return refused('its signature is wrong');
  return addressOf(`SRS0${second.rest}`, second.domain);
}

function splitSecond(text: string): { given: string; domain: string; rest: string } | null {
  const match = /^([^=]+)=([^=]+)=([=+-].+)$/s.exec(text);
  const [, given = '', domain = '', rest = ''] = match ?? [];
  return match === null || isProblem(parseDomain(domain)) ? null : { given, domain, rest };
}

function addressOf(localPart: string, domain: string): SrsReverse {
  const address = parseAddress(formatAddressText(localPart, domain));
  if (isProblem(address)) return refused('it leads to no address');
  return { outcome: 'address', reversePath: formatAddress(address) };
}

function refused(reason: string): SrsReverse {
  return { outcome: 'refused', reason };
}

function formatAddressText(localPart: string, domain: string): string {
  const needsQuotes = /[ "(),:;<>@[\\\]]|^\.|\.\.|\.$/.test(localPart);
  return `${needsQuotes ? `"${localPart.replace(/["\\]/g, '\\$&')}"` : localPart}@${domain}`;
}

/** Lower case goes into the hash, for hosts on the way may change the case of what it covers. */
function hash(secret: string, ...parts: readonly string[]): string {
  const digest = createHmac('sha256', secret).update(parts.join('\0').toLowerCase()).digest();
  return Array.from(digest.subarray(0, hashChars), (byte) => base32[byte % 32]).join('');
}

function isSame(given: string, wanted: string): boolean {
  const a = Buffer.from(given.toUpperCase());
  const b = Buffer.from(wanted);
  return a.length === b.length && timingSafeEqual(a, b);
}

function today(nowMs: number): number {
  return Math.floor(nowMs / dayMs) % timestampDays;
}

function timestamp(nowMs: number): string {
  const day = today(nowMs);
  return `${base32[day >> 5]}${base32[day & 31]}`;
}

function readTimestamp(stamp: string): number {
  const [high = '', low = ''] = stamp.toUpperCase();
  return base32.indexOf(high) * 32 + base32.indexOf(low);
}
