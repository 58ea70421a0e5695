// What an SPF result (RFC 7208 §2.6) says of a client, in a sentence.

/** The words for a result (RFC 8601 §2.7.2). */
export type SpfWord = 'pass' | 'fail' | 'softfail' | 'neutral' | 'none' | 'permerror' | 'temperror';

/** Who was asked about whom. Empty texts are not known. */
export type SpfFacts = {
  readonly clientIp: string;
  readonly domain: string;
  /** The SPF record of the domain. */
  readonly record: string;
  /** Why it could not be evaluated. */
  readonly detail: string;
  /** What the domain itself explains (RFC 7208 §6.2). */
  readonly explanation: string;
};

/** The sentence, without its full stop. */
export function explainSpf(result: SpfWord, { clientIp, domain, record, detail, explanation }: SpfFacts): string {
  const all = / ([-~?+]?all)\s*$/i.exec(record)?.[1]?.toLowerCase();
  const ending = all === undefined ? '' : ` (ends with ${all})`;
  const because = detail === '' ? '' : `: ${detail}`;
  const explained = explanation === '' ? '' : `; it explains: ${explanation}`;
  switch (result) {
    case 'pass':
      return `${clientIp} is among the servers ${domain} lists`;
    case 'fail':
      return `${clientIp} is not among the servers ${domain} lists${ending}${explained}`;
    case 'softfail':
      return `${clientIp} is probably not among the servers of ${domain}${ending}`;
    case 'neutral':
      return `${domain} says neither yes nor no to ${clientIp}${ending}`;
    case 'none':
      return `${domain} publishes no SPF record, or is not a domain that could`;
    case 'permerror':
      return `the SPF record of ${domain} cannot be used${because}`;
    case 'temperror':
      return `the SPF record of ${domain} could not be looked up${because}`;
  }
}
