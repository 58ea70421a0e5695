// Which mail programs lack the features that a message uses: what a program does with a rare combination, only that program shows.

/**
 * `clients`: names of mail programs. `features`: by slug the title and, for each client, a letter: `y` supported, `a` in part,
 * `n` not, `u` not known.
 */
export type ClientSupport = {
  readonly clients: readonly string[];
  readonly features: Readonly<Record<string, readonly [title: string, support: string]>>;
};

/** `lacking`, `partial`: the clients that do not, or only in part. */
export type FeatureReport = {
  readonly slug: string;
  readonly title: string;
  readonly lacking: readonly string[];
  readonly partial: readonly string[];
};

/**
 * `supported`: the share of the used features that the client supports, 0 to 1; one in part counts half. Clients of which too
 * few features are known are left out.
 */
export type ClientReport = { readonly client: string; readonly supported: number };

/** Features that some client lacks, those that most lack first; clients in the order of the data. */
export function reportSupport(
  used: ReadonlySet<string>,
  { clients, features }: ClientSupport,
): { readonly features: readonly FeatureReport[]; readonly clients: readonly ClientReport[]; readonly used: number } {
  const known = [...used].flatMap((slug) => {
    const found = features[slug];
    return found === undefined ? [] : [{ slug, title: found[0], support: found[1] }];
  });
  const withLetter = (support: string, letter: string) => clients.filter((_, n) => support[n] === letter);
  const reports = known
    .map(({ slug, title, support }) => ({
      slug,
      title,
      lacking: withLetter(support, 'n'),
      partial: withLetter(support, 'a'),
    }))
    .filter(({ lacking, partial }) => lacking.length + partial.length > 0)
    .sort((one, other) => other.lacking.length - one.lacking.length || other.partial.length - one.partial.length);
  const shares = clients.flatMap((client, n) => {
    const letters = known.map(({ support }) => support[n]).filter((letter) => letter !== 'u');
    const sum = letters.reduce((so, letter) => so + (letter === 'y' ? 1 : letter === 'a' ? 0.5 : 0), 0);
    return letters.length * 2 < known.length ? [] : [{ client, supported: sum / letters.length }];
  });
  return { features: reports, clients: shares, used: known.length };
}
