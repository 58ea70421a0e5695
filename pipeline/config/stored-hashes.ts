// Where the password hashes of a deployment are: each an object that the listener alone may read, named in the configuration, which
// every function reads, by `stored:<SHA-256 of the hash>`. The salt in the hash keeps that name from telling anything.
import { createHash } from 'node:crypto';
import { parse } from 'jsonc-parser';
import { passwordHashKey } from '#pipeline/contract/keys.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';
import { readWhole } from '#pipeline/contract/stored-body.ts';
import { setValue } from './edit-config.ts';
import { isPasswordHash } from './password.ts';
import type { NamedSecrets } from './secrets.ts';

/** `id`: lower-case hex. `user`: whose it is, as the file names it. */
export type StoredHash = { readonly id: string; readonly hash: string; readonly user: string };

/** What a configuration says in place of a hash. */
export function storedReference(hash: string): string {
  return `stored:${idOf(hash)}`;
}

/** The id in such a reference; null if it is none. */
export function storedId(reference: string): string | null {
  return /^stored:([0-9a-f]{64})$/.exec(reference)?.[1] ?? null;
}

/** The text with a reference in place of each hash of a user, and the hashes. A text that is no configuration stays as it is. */
export function takeOutHashes(text: string): { readonly text: string; readonly hashes: readonly StoredHash[] } {
  const root: unknown = parse(text.replace(/^\uFEFF/, ''), [], { allowTrailingComma: true });
  const users = isRecord(root) && Array.isArray(root['users']) ? root['users'] : [];
  let changed = text;
  const hashes: StoredHash[] = [];
  for (const [index, user] of users.entries()) {
    if (!isRecord(user)) continue;
    const { name, password } = user;
    if (typeof password !== 'string' || !isPasswordHash(password)) continue;
    hashes.push({ id: idOf(password), hash: password, user: String(name) });
    changed = setValue(changed, ['users', index, 'password'], storedReference(password));
  }
  return { text: changed, hashes };
}

/** Reads them by id. Throws if there is none, or if the process may not read it. */
export function storedHashes({ get }: Pick<ObjectStore, 'get'>): NamedSecrets {
  return async (id) => {
    if (!/^[0-9a-f]{64}$/.test(id)) throw new Error('not an id of a stored hash');
    const found = await get(passwordHashKey(id));
    if (found === null) throw new Error(`there is no ${passwordHashKey(id)}`);
    return (await readWhole(found)).toString('utf8');
  };
}

function idOf(hash: string): string {
  return createHash('sha256').update(hash).digest('hex');
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
