// Exchanges an old hash of a password in the configuration file for a new one; all else in the file stays as it is.
import { readFile } from 'node:fs/promises';
import { setValue } from '#pipeline/config/edit-config.ts';
import { parseConfig } from '#pipeline/config/parse-config.ts';
import { rewriteFile } from '#pipeline/config/rewrite-file.ts';
import type { Log } from '#pipeline/contract/ports.ts';

const ownerAlone = 0o600;
const maxAttempts = 3;

/**
 * Makes the exchange for the file at a path; answers whether it was made. `absent`: no user has the hash any more, or others
 * keep writing the file. Throws if the file cannot be written.
 */
export function hashReplacement(path: string, log: Log) {
  return async (from: string, to: string): Promise<'replaced' | 'absent'> => {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const expected = await readFile(path, 'utf8');
      const { users } = parseConfig(expected, path);
      const found = [...users.keys()].filter((index) => users[index]?.password === from);
      if (found.length === 0) return 'absent';
      const text = found.reduce((so, index) => setValue(so, ['users', index, 'password'], to), expected);
      parseConfig(text, path);
      const written = await rewriteFile(path, { expected, text, permitted: ownerAlone });
      if (written.outcome === 'changed') continue;
      if (written.before !== written.mode) {
        log.warn('config-permissions-narrowed', {
          path,
          before: written.before.toString(8),
          now: written.mode.toString(8),
        });
      }
      return 'replaced';
    }
    return 'absent';
  };
}
