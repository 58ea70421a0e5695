// The layout of a backup's folder: `data/` as a data folder, `config/` the configuration, SHA256SUMS of all files (as
// `sha256sum -c` reads it), and backup.json, which is written last: without it the backup is not whole.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** The names in a backup's folder. */
export const names = { manifest: 'backup.json', sums: 'SHA256SUMS', data: 'data', config: 'config' } as const;

const manifestSchema = z.strictObject({
  format: z.literal('pillarbox-backup/1'),
  takenAt: z.iso.datetime({ precision: 3 }),
  files: z.int().nonnegative(),
  bodies: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
  config: z.boolean(),
  leftOut: z.array(z.strictObject({ key: z.string(), why: z.string() })),
  notIncluded: z.array(z.string()),
  /** The SHA-256 of SHA256SUMS. */
  sums: z.string().regex(/^[0-9a-f]{64}$/),
});

/** backup.json. */
export type Manifest = z.infer<typeof manifestSchema>;

/** A file of the backup: its path below the folder, with `/` between the parts, and its SHA-256 in hex. */
export type SummedFile = { readonly path: string; readonly sha256: string };

/** The text of SHA256SUMS. */
export function writeSums(files: readonly SummedFile[]): string {
  return files.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join('');
}

/** Reads what a finished backup says of itself; rejects where it is none, or was changed. */
export async function readManifest(folder: string): Promise<{ manifest: Manifest; files: readonly SummedFile[] }> {
  const text = await readFile(join(folder, names.manifest), 'utf8').catch(() => null);
  if (text === null) throw new Error(`${folder} is no finished backup: it has no ${names.manifest}`);
  const manifest = manifestSchema.safeParse(parseJson(text)).data;
  if (manifest === undefined) throw new Error(`${join(folder, names.manifest)} is not understood`);
  const sums = await readFile(join(folder, names.sums));
  if (createHash('sha256').update(sums).digest('hex') !== manifest.sums) {
    throw new Error(`${join(folder, names.sums)} is not the one that was written with the backup`);
  }
  const files = sums.toString('utf8').split('\n').filter(Boolean).map(readLine);
  return { manifest, files };
}

function readLine(line: string): SummedFile {
  const [, sha256, path] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
  const isBelow = path !== undefined && !path.startsWith('/') && !path.split('/').includes('..');
  if (sha256 === undefined || !isBelow) throw new Error(`a line of ${names.sums} is not understood: ${line}`);
  return { path, sha256 };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
