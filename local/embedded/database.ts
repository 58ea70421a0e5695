// The one SQLite file: its tables, and how it is opened so that what is committed survives a power cut.
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { firstPlaceAt } from '#local/embedded/store/mail-order.ts';
import { mailTables, mailTablesFrom4, mailTablesFrom5 } from '#local/embedded/store/mail-tables.ts';

const sharedTable = `
  -- The end of objects that have it in common (one message for many mailboxes), and what the list of mail says of it.
  -- The body stands last: what is before it is read without it.
  CREATE TABLE IF NOT EXISTS shared_parts (
    seq INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    summary TEXT,
    body BLOB NOT NULL
  ) STRICT;
`;

const tables = `
  CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    etag TEXT NOT NULL,
    content_type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    file TEXT,
    body BLOB,
    sha256 TEXT,
    shared INTEGER
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS objects_by_file ON objects (file) WHERE file IS NOT NULL;
  CREATE INDEX IF NOT EXISTS objects_by_shared ON objects (shared) WHERE shared IS NOT NULL;

  ${sharedTable}
  ${mailTables}

  CREATE TABLE IF NOT EXISTS jobs (
    seq INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    due INTEGER NOT NULL,
    fair_group TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    receives INTEGER NOT NULL,
    last_error TEXT,
    body TEXT NOT NULL,
    -- Runs in a row that ended by a fault of ours.
    faults INTEGER NOT NULL DEFAULT 0,
    -- What counts against a job that was running when the process ended (suspects.ts), and since when it is running, or null.
    guilt INTEGER NOT NULL DEFAULT 0,
    handed_at INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS jobs_by_due ON jobs (due, queue);
  CREATE INDEX IF NOT EXISTS jobs_held_by_faults ON jobs (last_error) WHERE faults > 0;

  CREATE TABLE IF NOT EXISTS dead_letters (
    seq INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    fair_group TEXT NOT NULL,
    message_id TEXT NOT NULL,
    receives INTEGER NOT NULL,
    reason TEXT NOT NULL,
    died_at INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS dead_letters_by_queue ON dead_letters (queue, seq);
`;

const layoutVersion = 7;
/** What brings a database to a later layout, by the layout it has. */
const changes: Readonly<Record<number, { readonly to: number; readonly sql: string }>> = {
  1: { to: 2, sql: 'ALTER TABLE objects ADD COLUMN sha256 TEXT;' },
  2: {
    to: 3,
    sql: `ALTER TABLE objects ADD COLUMN shared INTEGER; ALTER TABLE messages ADD COLUMN shared INTEGER; ${sharedTable}`,
  },
  3: {
    to: 4,
    sql: `ALTER TABLE jobs ADD COLUMN faults INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE jobs ADD COLUMN guilt INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE jobs ADD COLUMN handed_at INTEGER;
      -- Until then a run counted that ended with the process or by a fault of ours.
      UPDATE jobs SET receives = 0;`,
  },
  4: { to: 6, sql: mailTablesFrom4 },
  5: { to: 6, sql: mailTablesFrom5 },
  // What is in the index of texts ends otherwise now: it is made anew. An empty one has no entries that a search would go through for nothing.
  6: { to: 7, sql: `INSERT INTO mail_text (mail_text) VALUES ('delete-all'); UPDATE mails SET is_indexed = 0;` },
};

/** Opens (or makes) the database; throws where it cannot be used, or was made by a later version of Pillarbox. */
export function openDatabase(path: string): DatabaseSync {
  try {
    return open(path);
  } catch (error) {
    if (!(error instanceof Error && /malformed|not a database/.test(error.message))) throw error;
    throw new Error(`${path} is damaged (${error.message}): restore a backup (the command restore)`, { cause: error });
  }
}

function open(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 5_000 });
  database.exec(
    // Space that is free again can be given back in small steps (`shrink`); that has to be said before there is a table.
    // Pages of 16 KiB: measured here, a 64 KiB body costs half of what it does on pages of 4 KiB, a 4 KiB one the same.
    `PRAGMA page_size = 16384; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
     PRAGMA wal_autocheckpoint = 1000; PRAGMA cache_size = -32000; PRAGMA journal_size_limit = 67108864;`,
  );
  database.function('first_place', { deterministic: true }, (id) => firstPlaceAt(asText(id)));
  const version = asNumber(database.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version > layoutVersion) throw new Error(`${path} was written by a later version of Pillarbox`);
  let steps = '';
  for (let change = changes[version]; change !== undefined; change = changes[change.to]) steps += change.sql;
  database.exec(`BEGIN IMMEDIATE; ${steps} ${tables} PRAGMA user_version = ${layoutVersion}; COMMIT;`);
  return database;
}

/** Throws if SQLite finds damage in the database. */
export function checkIntegrity(database: DatabaseSync): void {
  const found = database.prepare('PRAGMA integrity_check').get()?.['integrity_check'];
  if (found !== 'ok') throw new Error(`the database is damaged: ${String(found)}`);
}

/**
 * Takes the data folder for this process: an exclusive lock that the system takes back however the process ends.
 * Null where another process holds it. Keep what is returned; closing it gives the folder up.
 */
export function lockFolder(path: string): DatabaseSync | null {
  const lock = new DatabaseSync(path, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if (error instanceof Error && /locked|busy/.test(error.message)) return null;
    throw error;
  }
}

/** A column that holds text; throws where it does not. */
export function asText(value: SQLOutputValue | undefined): string {
  if (typeof value !== 'string') throw new Error(`text expected in the database, found ${typeof value}`);
  return value;
}

/** A column that holds a number; throws where it does not. */
export function asNumber(value: SQLOutputValue | undefined): number {
  if (typeof value !== 'number') throw new Error(`a number expected in the database, found ${typeof value}`);
  return value;
}
