// The configuration in a backup: the file, and the files beside it that it refers to (`file:dkim/…`). What lies elsewhere,
// and variables of the environment, are named instead.
import { readFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize, relative } from 'node:path';
import { parse } from 'jsonc-parser';
import { type CopiedFile, copyDurably } from './durable-files.ts';

/** What was copied, by path below `to`; and the references that are not in it. */
export type CopiedConfig = {
  readonly files: readonly ({ readonly path: string } & CopiedFile)[];
  readonly notIncluded: readonly string[];
};

/** Copies it to the folder `to`; rejects where the file cannot be read. A file it refers to may be missing. */
export async function copyConfig(configPath: string, to: string): Promise<CopiedConfig> {
  const home = dirname(configPath);
  const name = basename(configPath);
  const files = [{ path: name, ...(await copyDurably(configPath, join(to, name))) }];
  const notIncluded: string[] = [];
  for (const reference of references(await readFile(configPath, 'utf8'))) {
    const path = reference.startsWith('file:') ? below(reference.slice('file:'.length), home) : null;
    const isCopied = path !== null && files.some((file) => file.path === path);
    if (isCopied) continue;
    const copied = path === null ? null : await copyDurably(join(home, path), join(to, path)).catch(() => null);
    if (path === null || copied === null) notIncluded.push(reference);
    else files.push({ path, ...copied });
  }
  return { files, notIncluded };
}

/** All `file:` and `env:` references, each once; `secret:` ones are in the data folder. */
function references(text: string): readonly string[] {
  const found = new Set<string>();
  const look = (value: unknown): void => {
    if (typeof value === 'string' && /^(file|env):/.test(value)) found.add(value);
    else if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) look(inner);
  };
  look(parse(text)); // a broken configuration is copied as it is: what of it can be read counts
  return [...found];
}

/** The path below the folder, or null where it leads out of it. */
function below(path: string, home: string): string | null {
  const inside = isAbsolute(path) ? relative(home, path) : normalize(path);
  return inside === '' || inside.startsWith('..') || isAbsolute(inside) ? null : inside;
}
