// Writes the value of an Authentication-Results field (RFC 8601 §2.2) so that nothing a stranger chose can end a comment, start
// another result or another field.

/** One result. Properties (`header.d`) without a value are left out. */
export type Result = {
  readonly method: 'spf' | 'dkim' | 'dmarc' | 'arc';
  readonly result: string;
  /** A sentence, as a comment. */
  readonly reason: string;
  readonly properties: readonly (readonly [name: string, value: string | null])[];
};

const maxComment = 160;
const maxValue = 255;
const maxResults = 20;

/** `mx.example; spf=pass (…) smtp.mailfrom=…; dkim=…`, on one line, 20 results at most. Without results: nothing was checked. */
export function formatResults(hostname: string, results: readonly Result[]): string {
  const texts = results.length === 0 ? ['none'] : results.slice(0, maxResults).map(formatResult);
  return [token(hostname), ...texts].join('; ');
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
