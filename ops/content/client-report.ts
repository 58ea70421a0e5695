// Which mail programs lack the features that a message uses: what a program does with a rare combination, only that program shows.
import { z } from 'zod';

/**
 * `clients`: names of mail programs. `features`: by slug the title and, for each client, a letter: `y` supported, `a` in part,
 * `n` not, `u` not known.
 */
export const clientSupportSchema = z.strictObject({
  clients: z.array(z.string()).readonly(),
  features: z.record(z.string(), z.tuple([z.string(), z.string()]).readonly()).readonly(),
});

export type ClientSupport = z.output<typeof clientSupportSchema>;

/**
 * `used`: how many of the features are known. `clients`: what each supports of them, as a share from 0 to 1, where one in part counts half;
 * those of which too few features are known are left out. `features`: those that some client lacks (`lacking`) or has in part (`partial`),
 * of so many of which that is known (`known`).
 */
export const clientReportSchema = z.strictObject({
  used: z.int(),
  clients: z.array(z.strictObject({ client: z.string(), supported: z.number() })),
  features: z.array(
    z.strictObject({
      slug: z.string(),
      title: z.string(),
      lacking: z.array(z.string()),
      partial: z.array(z.string()),
      known: z.int(),
    }),
  ),
});

export type ClientReport = z.output<typeof clientReportSchema>;

/** Features that some client lacks, those that most lack first; clients in the order of the data. */
export function reportSupport(used: ReadonlySet<string>, { clients, features }: ClientSupport): ClientReport {
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
      known: clients.length - withLetter(support, 'u').length,
    }))
    .filter(({ lacking, partial }) => lacking.length + partial.length > 0)
    .sort((one, other) => other.lacking.length - one.lacking.length || other.partial.length - one.partial.length);
  const shares = clients.flatMap((client, n) => {
    const letters = known.map(({ support }) => support[n]).filter((letter) => letter !== 'u');
    const sum = letters.reduce((so, letter) => so + (letter === 'y' ? 1 : letter === 'a' ? 0.5 : 0), 0);
    return letters.length * 2 < known.length
      ? []
      : [{ client, supported: letters.length === 0 ? 1 : sum / letters.length }];
  });
  return { features: reports, clients: shares, used: known.length };
}
