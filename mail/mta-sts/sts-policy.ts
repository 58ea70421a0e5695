// The file of an MTA-STS policy (RFC 8461 §3.2): which hosts take a domain's mail, and whether TLS with a proven certificate is a condition.

/** A domain's policy as it applies now. `none`: deliver as if there were no such thing. */
export type StsPolicy =
  | { readonly mode: 'none' }
  | { readonly mode: 'testing' | 'enforce'; readonly mx: readonly string[] };

const longestAgeSeconds = 31_557_600; // RFC 8461 §3.2

/** Whether a host is among those a policy names (RFC 8461 §4.1: `*.` stands for exactly one label). */
export function isNamedHost(mx: readonly string[], host: string): boolean {
  return mx.some((pattern) =>
    pattern.startsWith('*.')
      ? host.slice(host.indexOf('.') + 1) === pattern.slice(2) && host.includes('.')
      : host === pattern,
  );
}

/** Reads a policy file (RFC 8461 §3.2); null if it is none. */
export function parseStsPolicy(text: string): { readonly policy: StsPolicy; readonly maxAgeSeconds: number } | null {
  const pairs = text.split(/\r?\n/).flatMap((line): [string, string][] => {
    const match = /^([A-Za-z0-9_.-]+)[ \t]*:(.*)$/.exec(line); // trimmed below: a pattern for that takes quadratic time
    return match?.[1] === undefined || match[2] === undefined ? [] : [[match[1], match[2].trim()]];
  });
  const value = (key: string): string | undefined => pairs.find(([name]) => name === key)?.[1];
  const maxAgeSeconds = Math.min(Number(value('max_age') ?? 'NaN'), longestAgeSeconds);
  const mode = value('mode');
  const mx = pairs.filter(([name]) => name === 'mx').map(([, host]) => host.toLowerCase().replace(/\.$/, ''));
  if (value('version') !== 'STSv1' || !Number.isInteger(maxAgeSeconds) || maxAgeSeconds < 0) return null;
  if (mode === 'none') return { policy: { mode: 'none' }, maxAgeSeconds };
  if ((mode !== 'testing' && mode !== 'enforce') || mx.length === 0) return null;
  return { policy: { mode, mx }, maxAgeSeconds };
}
