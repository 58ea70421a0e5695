// The text of an Authentication-Results field (RFC 8601 §2.2), written so that nothing a stranger chose can end a
// comment, start another result or another field.
import type { Authentication } from '#pipeline/contract/jobs.ts';
import type { SpfVerdict } from './judge-spf.ts';

type Verdicts = Pick<Authentication, 'spf' | 'dkim' | 'dmarc' | 'arc'>;

type Result = {
  readonly method: 'spf' | 'dkim' | 'dmarc' | 'arc';
  readonly result: string;
  readonly reason: string;
  readonly properties: readonly (readonly [name: string, value: string | null])[];
};

/** What was checked, beside the verdicts. */
export type Checked = {
  /** The host that checked: our own name (RFC 8601 §2.5). */
  readonly hostname: string;
  readonly helo: string | null;
  readonly heloVerdict: SpfVerdict | null;
  /** Whether the SPF verdict is that of the HELO name (the reverse-path was empty). */
  readonly isNullReversePath: boolean;
};

const maxComment = 160;
const maxValue = 255;
const maxResults = 20;

/** `mx.example; spf=pass (…) smtp.mailfrom=…; dkim=…`, on one line, without the field's name. */
export function formatResults(checked: Checked, verdicts: Verdicts): string {
  const results = [...spfResults(checked, verdicts.spf), ...dkimResults(verdicts.dkim), dmarcResult(verdicts.dmarc)];
  if (verdicts.arc.result !== 'none') {
    results.push({ method: 'arc', result: verdicts.arc.result, reason: verdicts.arc.reason, properties: [] });
  }
  return [token(checked.hostname), ...results.slice(0, maxResults).map(formatResult)].join('; ');
}

/** The text where nothing was checked (RFC 8601 §2.2 `no-result`). */
export function formatNoResults(hostname: string): string {
  return `${token(hostname)}; none`;
}

function spfResults({ helo, heloVerdict, isNullReversePath }: Checked, spf: SpfVerdict): Result[] {
  const name = isNullReversePath ? 'smtp.helo' : 'smtp.mailfrom';
  const sender: Result = { method: 'spf', ...words(spf), properties: [[name, spf.domain]] };
  if (heloVerdict === null) return [sender];
  return [sender, { method: 'spf', ...words(heloVerdict), properties: [['smtp.helo', helo]] }];
}

function dkimResults(dkim: Authentication['dkim']): Result[] {
  return dkim.map((verdict) => ({
    method: 'dkim',
    ...words(verdict),
    properties: [
      ['header.d', verdict.domain],
      ['header.s', verdict.selector],
      ['header.a', verdict.algorithm],
    ],
  }));
}

function dmarcResult(dmarc: Authentication['dmarc']): Result {
  return {
    method: 'dmarc',
    ...words(dmarc),
    properties: [
      ['policy.dmarc', dmarc.policy],
      ['header.from', dmarc.domain],
    ],
  };
}

function words({ result, reason }: { readonly result: string; readonly reason: string }) {
  return { result, reason };
}

function formatResult({ method, result, reason, properties }: Result): string {
  const shown = properties.flatMap(([name, value]) =>
    value === null || value === '' ? [] : [`${name}=${token(value)}`],
  );
  return [`${method}=${result}`, `(${comment(reason)})`, ...shown].join(' ');
}

/**
 * RFC 5322 §3.2.2: no parenthesis or backslash stands for itself; nor does a semicolon, since readers exist that split the
 * field at every one of them.
 */
function comment(text: string): string {
  const plain = printable(text).slice(0, maxComment).replaceAll('(', '[').replaceAll(')', ']');
  return plain.replace(/\\/g, '/').replace(/;/g, ',').trim();
}

/** A token (RFC 2045 §5.1) as it is, anything else as a quoted-string. */
function token(text: string): string {
  const value = printable(text).slice(0, maxValue);
  if (/^[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+$/.test(value)) return value;
  return `"${value.replace(/;/g, ',').replace(/["\\]/g, '\\$&')}"`;
}

function printable(text: string): string {
  return text.replace(/…/g, '...').replace(/[^ -~]+/g, '?');
}
