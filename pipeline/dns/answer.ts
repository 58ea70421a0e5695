// How a DNS question ends: with an answer, of which each caller gets a copy, or with one of six errors.

/**
 * `ENOTFOUND`: no such name. `ENODATA`: the name has no record of that type. `EBADNAME`: the name cannot exist (a label
 * over 63 octets …). `ESERVFAIL`, `EREFUSED`: a server said so, or none could be reached. `ETIMEOUT`: no answer in time.
 */
export type DnsErrorCode = 'ENOTFOUND' | 'ENODATA' | 'EBADNAME' | 'ESERVFAIL' | 'EREFUSED' | 'ETIMEOUT';

/**
 * What a `Resolve` rejects with: an Error whose `code` is a {@link DnsErrorCode}. `said`: the word of the network, if the failure is none of
 * the server's own (`ECONNREFUSED`).
 */
export type DnsError = Error & { readonly code: DnsErrorCode; readonly said?: string };

const words: Readonly<Record<string, DnsErrorCode>> = {
  ENOTFOUND: 'ENOTFOUND',
  NXDOMAIN: 'ENOTFOUND',
  ENODATA: 'ENODATA',
  EBADNAME: 'EBADNAME',
  EREFUSED: 'EREFUSED',
  ETIMEOUT: 'ETIMEOUT',
  ECANCELLED: 'ETIMEOUT',
};

export function dnsError(code: DnsErrorCode, name: string, type: string): DnsError {
  return Object.assign(new Error(`${code} ${type} ${name}`), { code });
}

/** The error of a question that was not asked, because it failed a while ago. */
export function rememberedDnsError(code: DnsErrorCode, name: string, type: string): DnsError {
  return Object.assign(dnsError(code, name, type), { isRemembered: true });
}

export function isRememberedDnsError(error: unknown): boolean {
  return error instanceof Error && 'isRemembered' in error;
}

/** The word of the network of an error that no server sent; null for those of servers, and of time. */
export function saidOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null) return null;
  if ('said' in error) return String(error.said);
  const code = 'code' in error ? String(error.code) : '';
  return /^E(?!SERVFAIL)[A-Z]+$/.test(code) && words[code] === undefined ? code : null;
}

/** The code of whatever a resolver rejected with; anything unknown counts as `ESERVFAIL`. */
export function dnsErrorCode(error: unknown): DnsErrorCode {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  return words[code] ?? 'ESERVFAIL';
}

/** Whether asking again later may help: nothing is known about the name, as opposed to "it does not exist". */
export function isTemporaryDnsError(code: DnsErrorCode): boolean {
  return code === 'ESERVFAIL' || code === 'EREFUSED' || code === 'ETIMEOUT';
}

/** The usual answers, texts and lists of texts, are copied at a fraction of what a clone costs. */
export function copyAnswer(answer: unknown): unknown {
  if (!Array.isArray(answer) || !answer.every(isText)) return structuredClone(answer);
  return answer.map((record) => (typeof record === 'string' ? record : [...record]));
}

function isText(record: unknown): record is string | readonly string[] {
  return typeof record === 'string' || (Array.isArray(record) && record.every((part) => typeof part === 'string'));
}
