// What mail programs support, from the data of caniemail.com (MIT), made small: for each program its latest version.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { z } from 'zod';
import type { ClientSupport } from '#ops/content/client-report.ts';

const names = z.record(z.string(), z.string());
/** Family of programs → platform → version → `y`, `a`, `n` or `u`, with the numbers of notes behind it. */
const stats = z.record(z.string(), z.record(z.string(), z.record(z.string(), z.string())));
const dataSchema = z.object({
  nicenames: z.object({ family: names, platform: names }),
  data: z.array(z.object({ slug: z.string(), title: z.string(), category: z.string(), stats })),
});

/** Of the features of HTML, CSS and pictures. */
export async function readClientSupport(): Promise<ClientSupport> {
  const path = createRequire(import.meta.url).resolve('caniemail/caniemail.json');
  const { nicenames, data } = dataSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  const known = data.filter(({ category }) => ['html', 'css', 'image'].includes(category));
  const clients = [...new Set(known.flatMap((feature) => clientsOf(feature.stats)))].sort(byFamily);
  const features = known.map(({ slug, title, stats: its }) => {
    const letters = clients.map((client) => letterOf(its, client));
    return [slug, [title, letters.join('')] as const] as const;
  });
  const shownName = (client: string): string => {
    const [family = '', platform = ''] = client.split('/');
    return `${nicenames.family[family] ?? family}, ${nicenames.platform[platform] ?? platform}`;
  };
  return { clients: clients.map(shownName), features: Object.fromEntries(features) };
}

/** Those that most people read mail with come first. */
const families = ['gmail', 'apple-mail', 'outlook', 'yahoo', 'samsung-email', 'thunderbird', 'protonmail'];

function byFamily(one: string, other: string): number {
  const rank = (client: string): number => {
    const at = families.indexOf(client.split('/')[0] ?? '');
    return at < 0 ? families.length : at;
  };
  return rank(one) - rank(other) || (one < other ? -1 : 1);
}

type Stats = z.output<typeof stats>;

function clientsOf(its: Stats): readonly string[] {
  return Object.entries(its).flatMap(([family, platforms]) =>
    Object.keys(platforms).map((platform) => `${family}/${platform}`),
  );
}

/** The latest version stands last. */
function letterOf(its: Stats, client: string): string {
  const [family = '', platform = ''] = client.split('/');
  const latest = Object.values(its[family]?.[platform] ?? {}).at(-1) ?? 'u';
  return latest[0] ?? 'u';
}
