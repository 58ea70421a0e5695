// Secrets by reference: `secret:NAME` (Secrets Manager, or files on one machine), `file:PATH`, `env:NAME`; of a deployment also
// `stored:ID`, the hash of a password in its bucket.
// A value is kept for five minutes at most, so that a changed secret is used without a restart.
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { errorMessage } from '#mail/problem.ts';
import type { Clock, Secrets } from '#pipeline/contract/ports.ts';
import { ownFault } from '#pipeline/run/own-fault.ts';

const keepMs = 300_000;

/** Reads the secret of a name; throws if there is none. */
export type NamedSecrets = (name: string) => Promise<string>;

/** `named` reads `secret:`, `stored` what a deployment keeps, `environment` has `env:`, a relative `file:` is below `directory`. */
type SecretSources = {
  readonly named: NamedSecrets;
  readonly stored?: NamedSecrets;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
};

/** One line break at the end of a value is not part of it. */
export function createSecrets({ named, stored = noneStored, directory, environment, clock }: SecretSources): Secrets {
  const kept = new Map<string, { readonly value: Promise<string>; readonly at: number }>();
  const fetch = async (reference: string): Promise<string> => {
    const [, kind, name] = /^(secret|stored|file|env):(.+)$/.exec(reference) ?? [];
    if (name === undefined) throw new Error('a reference is "secret:NAME", "file:PATH" or "env:NAME"');
    if (kind === 'secret') return named(name);
    if (kind === 'stored') return stored(name);
    if (kind === 'file') return readFile(resolve(directory, name), 'utf8');
    const value = environment[name];
    if (value === undefined) throw new Error(`environment variable ${name} is not set`);
    return value;
  };
  return {
    read: (reference, { fresh = false } = {}) => {
      const known = kept.get(reference);
      if (known && !fresh && clock() - known.at < keepMs) return known.value;
      const value = fetch(reference).then(
        (text) => text.replace(/\r?\n$/, ''),
        (thrown) => {
          kept.delete(reference);
          throw ownFault('secret', `secret ${shown(reference)} cannot be read: ${errorMessage(thrown)}`, {
            cause: thrown,
          });
        },
      );
      kept.set(reference, { value, at: clock() });
      return value;
    },
  };
}

/** Each secret is a file in this folder (`DIR/secrets/NAME` on one machine). */
export function secretFiles(directory: string): NamedSecrets {
  return async (name) => {
    if (!/^[A-Za-z0-9_+=@-][A-Za-z0-9_+=.@-]*$/.test(name)) throw new Error('not a name of a secret file');
    return readFile(join(directory, name), 'utf8');
  };
}

const noneStored: NamedSecrets = async () => {
  throw new Error('only a deployment keeps it: give the user a password here (pillarbox user password NAME)');
};

/** What is no reference may be the secret itself: it is not repeated. */
function shown(reference: string): string {
  return /^(secret|stored|file|env):/.test(reference) ? JSON.stringify(reference) : '(not a reference)';
}
