// At the start, and of a backup: are the files there that the rows name, and are there others. Looks at names and lengths;
// the SHA-256 of a body is checked whenever it is read.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { asNumber, asText } from '#local/embedded/database.ts';
import type { Damage } from '#pipeline/contract/stored-body.ts';
import { lengthProblem } from './read-body-file.ts';

/** An object whose file is not as its row says; `what` goes on after the file's name. */
export type DamagedFile = {
  readonly key: string;
  readonly file: string;
  readonly damage: Damage;
  readonly what: string;
};

/** How many objects have files, which of those are damaged, and what the folder holds besides. */
export type BodiesReport = {
  readonly files: number;
  readonly damaged: readonly DamagedFile[];
  /** Names of what no row names: files that were never finished, and others. */
  readonly unfinished: readonly string[];
  readonly orphans: readonly string[];
};

/** Compares the rows with the folder. Blocks for some 10 µs a file. */
export function checkBodies(database: DatabaseSync, folder: string): BodiesReport {
  const names = new Set(readdirSync(folder));
  const damaged: DamagedFile[] = [];
  let files = 0;
  for (const row of database.prepare('SELECT key, file, bytes FROM objects WHERE file IS NOT NULL').iterate()) {
    const [key, file] = [asText(row['key']), asText(row['file'])];
    const found = names.delete(file) ? look(join(folder, file), asNumber(row['bytes'])) : missing;
    if (found !== null) damaged.push({ key, file, ...found });
    files += 1;
  }
  damaged.sort((a, b) => (a.key < b.key ? -1 : 1));
  const isUnfinished = (name: string): boolean => name.endsWith('.part');
  const besides = [...names];
  return {
    files,
    damaged,
    unfinished: besides.filter(isUnfinished),
    orphans: besides.filter((name) => !isUnfinished(name)),
  };
}

const missing = { damage: 'missing', what: 'is missing' } as const;

function look(path: string, bytes: number): Pick<DamagedFile, 'damage' | 'what'> | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return missing;
  const what = lengthProblem({ size: stat.size, isFile: stat.isFile() }, bytes);
  return what === null ? null : { damage: 'altered', what };
}
