// What several objects have in common: kept once, found by its SHA-256, and gone with the last object that needs it. Every
// function here runs inside the transaction that writes or removes the object, so nothing can be left half done.
import type { DatabaseSync } from 'node:sqlite';
import { asNumber } from '#local/embedded/database.ts';
import type { SharedListing } from './listing.ts';

export type SharedRows = {
  /** The number of what has this SHA-256, or null. */
  readonly find: (sha256: string) => number | null;
  /** Keeps it; `listing` is what lists of mail say of it, where it is mail. Answers its number. */
  readonly add: (shared: {
    readonly sha256: string;
    readonly content: Uint8Array;
    readonly listing: SharedListing | null;
  }) => number;
  readonly read: (number: number) => Uint8Array;
  /** Whether lists of mail know it. */
  readonly isListed: (number: number) => boolean;
  /** Removes it where no object needs it any more. */
  readonly release: (number: number) => void;
};

/** Over the same database as the objects. */
export function sharedRows(database: DatabaseSync): SharedRows {
  const find = database.prepare('SELECT seq FROM shared_parts WHERE sha256 = ?');
  const add = database.prepare('INSERT INTO shared_parts (sha256, summary, body) VALUES (?, ?, ?) RETURNING seq');
  const read = database.prepare('SELECT body FROM shared_parts WHERE seq = ?');
  const listed = database.prepare('SELECT 1 FROM shared_parts WHERE seq = ? AND summary IS NOT NULL');
  const release = database.prepare(
    'DELETE FROM shared_parts WHERE seq = ? AND NOT EXISTS (SELECT 1 FROM objects WHERE shared = ?)',
  );
  return {
    find: (sha256) => {
      const seq = find.get(sha256)?.['seq'];
      return typeof seq === 'number' ? seq : null;
    },
    add: ({ sha256, content, listing }) => {
      const row = add.get(sha256, listing?.summary ?? null, content);
      return asNumber(row?.['seq']);
    },
    read: (seq) => {
      const body = read.get(seq)?.['body'];
      if (!(body instanceof Uint8Array)) throw new Error(`the shared part ${seq} is not in the database`);
      return body;
    },
    isListed: (seq) => listed.get(seq) !== undefined,
    release: (seq) => {
      release.run(seq, seq);
    },
  };
}
