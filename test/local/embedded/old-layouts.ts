// Takes a database back to an older layout, by undoing step by step what has changed since: as a data folder of that time was.
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { searchTexts } from '#ops/messages/search-match.ts';
import { parseInboxMessage } from '#pipeline/contract/records/inbox-message.ts';

/** The layouts it can be taken back to. */
export type OldLayout = 6 | 4 | 1;

/** `path`: of a database of the layout of today, which nobody has open and in which nothing is shared. */
export function takeBack(path: string, to: OldLayout): void {
  const database = new DatabaseSync(path);
  takeBackTo6(database);
  if (to < 6) database.exec(backTo4);
  if (to < 4) database.exec(backTo1);
  database.exec(`PRAGMA user_version = ${to}`);
  database.close();
}

/** Then a text had no end in the index, nobody kept totals, and a header ended with one line break. */
function takeBackTo6(database: DatabaseSync): void {
  database.exec(`DROP TRIGGER mail_added; DROP TRIGGER mail_removed; DROP TRIGGER mail_read; DROP TABLE mail_totals;
    INSERT INTO mail_text (mail_text) VALUES ('delete-all'); UPDATE mails SET is_indexed = 1`);
  const add = database.prepare(
    'INSERT INTO mail_text (rowid, sender, recipients, subject, other, header) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const stored = database.prepare('SELECT mail, body FROM messages JOIN objects USING (key) ORDER BY mail');
  for (const { mail, body } of stored.all()) {
    const message = parseInboxMessage(textOf(body));
    if (mail === undefined || message === null) throw new Error('no message');
    const { from, to, subject, other, header } = searchTexts(message);
    add.run(mail, from, to, subject, other, `${header}\n`);
  }
}

function textOf(body: SQLOutputValue | undefined): string {
  return body instanceof Uint8Array ? Buffer.from(body).toString() : '';
}

const backTo4 = `
  CREATE TABLE old AS SELECT key, id, mailbox, domain, summary FROM messages JOIN mails ON seq = mail;
  DROP TABLE messages; DROP TABLE mails; DROP TABLE mail_text; DROP TABLE mail_tags; DROP TABLE mailboxes;
  CREATE TABLE messages (key TEXT NOT NULL UNIQUE, id TEXT NOT NULL, mailbox TEXT NOT NULL, domain TEXT NOT NULL,
    summary TEXT NOT NULL, searched TEXT NOT NULL, shared INTEGER) STRICT;
  CREATE INDEX messages_by_id ON messages (id, key);
  CREATE INDEX messages_by_mailbox ON messages (mailbox, id, key);
  CREATE INDEX messages_by_domain ON messages (domain, id, key);
  INSERT INTO messages (key, id, mailbox, domain, summary, searched) SELECT *, '' FROM old;
  DROP TABLE old;
  ALTER TABLE shared_parts ADD COLUMN searched TEXT;
`;

const backTo1 = `
  DROP INDEX objects_by_shared; DROP TABLE shared_parts; ALTER TABLE messages DROP COLUMN shared;
  ALTER TABLE objects DROP COLUMN shared; ALTER TABLE objects DROP COLUMN sha256;
  DROP INDEX jobs_held_by_faults; ALTER TABLE jobs DROP COLUMN faults; ALTER TABLE jobs DROP COLUMN guilt;
  ALTER TABLE jobs DROP COLUMN handed_at;
`;
