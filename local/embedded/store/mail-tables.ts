// The tables that lists of mail are read from, and how a database of layout 4, which had one of them, gets the others.

/** As SQL; makes what is not there. */
export const mailTables = `
  -- One row for each message in a mailbox, narrow: what a list is narrowed down by is found by reading all of it. The number is its
  -- place in lists (mail-order.ts).
  CREATE TABLE IF NOT EXISTS mails (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    bytes INTEGER NOT NULL,
    attachments INTEGER NOT NULL,
    spf TEXT NOT NULL,
    dkim TEXT NOT NULL,
    dmarc TEXT NOT NULL,
    is_read INTEGER NOT NULL,
    -- 0: not in the index of texts yet; 1: it is; 2: it is, without a copy that came since.
    is_indexed INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX IF NOT EXISTS mails_unread ON mails (seq) WHERE is_read = 0;
  CREATE INDEX IF NOT EXISTS mails_to_index ON mails (seq) WHERE is_indexed <> 1;

  -- What the list of mail shows of its copies: one row for each object under inbox/ and quarantine/.
  CREATE TABLE IF NOT EXISTS messages (
    key TEXT NOT NULL UNIQUE,
    mail INTEGER NOT NULL,
    mailbox TEXT NOT NULL,
    domain TEXT NOT NULL,
    summary TEXT NOT NULL,
    shared INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS messages_by_mail ON messages (mail);
  CREATE INDEX IF NOT EXISTS messages_by_mailbox ON messages (mailbox, mail);
  CREATE INDEX IF NOT EXISTS messages_by_domain ON messages (domain, mail);

  -- By the number in mails. The texts themselves are not kept: they can be read from the messages.
  CREATE VIRTUAL TABLE IF NOT EXISTS mail_text USING fts5 (
    sender, recipients, subject, other, header,
    content = '', contentless_delete = 1, tokenize = 'trigram case_sensitive 1'
  );
  -- The parts of the index that each step adds are merged when there is time for it (mail-text.ts), never by who adds.
  INSERT INTO mail_text (mail_text, rank) VALUES ('automerge', 0), ('crisismerge', 1999), ('usermerge', 16);

  CREATE TABLE IF NOT EXISTS mail_tags (tag TEXT NOT NULL, mail INTEGER NOT NULL, PRIMARY KEY (tag, mail)) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS mail_tags_by_mail ON mail_tags (mail);

  -- How many copies a mailbox has, kept by the triggers below.
  CREATE TABLE IF NOT EXISTS mailboxes (
    name TEXT NOT NULL PRIMARY KEY,
    messages INTEGER NOT NULL,
    unread INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  -- One row: how many messages there are, kept likewise.
  CREATE TABLE IF NOT EXISTS mail_totals (id INTEGER PRIMARY KEY, messages INTEGER NOT NULL, unread INTEGER NOT NULL) STRICT;
  INSERT INTO mail_totals SELECT 1, (SELECT count(*) FROM mails), (SELECT count(*) FROM mails WHERE is_read = 0)
    WHERE NOT EXISTS (SELECT 1 FROM mail_totals);
  CREATE TRIGGER IF NOT EXISTS mail_added AFTER INSERT ON mails BEGIN
    UPDATE mail_totals SET messages = messages + 1, unread = unread + 1 - new.is_read;
  END;
  CREATE TRIGGER IF NOT EXISTS mail_removed AFTER DELETE ON mails BEGIN
    UPDATE mail_totals SET messages = messages - 1, unread = unread - 1 + old.is_read;
  END;
  CREATE TRIGGER IF NOT EXISTS mail_read AFTER UPDATE OF is_read ON mails BEGIN
    UPDATE mail_totals SET unread = unread + old.is_read - new.is_read;
  END;
  CREATE TRIGGER IF NOT EXISTS copy_added AFTER INSERT ON messages BEGIN
    INSERT INTO mailboxes (name, messages, unread)
      SELECT new.mailbox, 1, 1 - is_read FROM mails WHERE seq = new.mail
      ON CONFLICT (name) DO UPDATE SET messages = messages + 1, unread = unread + excluded.unread;
  END;
  CREATE TRIGGER IF NOT EXISTS copy_removed AFTER DELETE ON messages BEGIN
    UPDATE mailboxes SET messages = messages - 1, unread = unread - (SELECT 1 - is_read FROM mails WHERE seq = old.mail)
      WHERE name = old.mailbox;
    DELETE FROM mailboxes WHERE name = old.mailbox AND messages = 0;
  END;
  CREATE TRIGGER IF NOT EXISTS mail_marked AFTER UPDATE OF is_read ON mails BEGIN
    UPDATE mailboxes SET unread = unread + (old.is_read - new.is_read) *
        (SELECT count(*) FROM messages WHERE mail = new.seq AND mailbox = name)
      WHERE name IN (SELECT mailbox FROM messages WHERE mail = new.seq);
  END;
`;

/** As SQL; `first_place(id)` is that of mail-order.ts. */
export const mailTablesFrom4 = `
  ALTER TABLE messages RENAME TO old_messages;
  DROP INDEX IF EXISTS messages_by_id;
  DROP INDEX IF EXISTS messages_by_mailbox;
  DROP INDEX IF EXISTS messages_by_domain;
  ${mailTables}
  INSERT INTO mails (seq, id, bytes, attachments, spf, dkim, dmarc, is_read)
    SELECT first_place(id) + row_number() OVER (PARTITION BY first_place(id) ORDER BY id) - 1, id,
      json_extract(said, '$.bytes'), json_extract(said, '$.attachments'),
      json_extract(said, '$.spf'), json_extract(said, '$.dkim'), json_extract(said, '$.dmarc'), 0
    FROM (
      SELECT id, min(key), coalesce(shared_parts.summary, old_messages.summary) AS said
      FROM old_messages LEFT JOIN shared_parts ON shared_parts.seq = shared GROUP BY id
    );
  INSERT INTO messages (key, mail, mailbox, domain, summary, shared)
    SELECT key, mails.seq, mailbox, domain, summary, shared FROM old_messages JOIN mails ON mails.id = old_messages.id;
  DROP TABLE old_messages;
`;

/** As SQL, for a database of layout 5: that was never released. */
export const mailTablesFrom5 = `
  ALTER TABLE mails ADD COLUMN is_indexed INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE messages DROP COLUMN searched;
`;
