// What lists of mail are read from, kept by the transaction that writes or deletes an object: a row for each message, one for each of its
// copies in mailboxes, its marks, and (by triggers of the database) how many messages a mailbox has.
import type { DatabaseSync } from 'node:sqlite';
import { asNumber } from '#local/embedded/database.ts';
import { isMessageId, receivedAtOf } from '#mail/header/message-id.ts';
import { marksKey } from '#pipeline/contract/keys.ts';
import type { Marks } from '#pipeline/contract/records/marks.ts';
import { type Listing, readMarks } from './listing.ts';
import { firstPlaceAt, nextPlaceAfter } from './mail-order.ts';
import { outdated } from './mail-text.ts';
import type { RecentTexts } from './recent-texts.ts';

export type MailIndex = {
  /** Lists a copy. `shared`: the number of the part that says what is not its own, or null. */
  readonly add: (key: string, listing: Listing, shared: number | null) => void;
  /** Takes a copy off the list, and its message with the last one. */
  readonly remove: (key: string) => void;
  /** Sets the marks of a message, if it is listed. */
  readonly mark: (id: string, marks: Marks) => void;
};

/** Over the database whose objects it lists. */
export function mailIndex(database: DatabaseSync, recent: RecentTexts): MailIndex {
  const sql = statements(database);
  const mark = (id: string, { read, tags }: Marks): void => {
    const seq = sql.find.get(id)?.['seq'];
    if (typeof seq !== 'number') return;
    sql.mark.run(read ? 1 : 0, seq, read ? 1 : 0);
    sql.untag.run(seq);
    for (const tag of tags) sql.tag.run(tag, seq);
  };
  const addMail = (listing: Listing, shared: number | null): number => {
    const { id, facts } = listing;
    const place = freePlace(sql, id);
    if (facts === null) sql.addMailOfShared.run(place, id, shared);
    else sql.addMail.run(place, id, facts.bytes, facts.attachments, facts.spf, facts.dkim, facts.dmarc);
    const marks = isMessageId(id) ? sql.body.get(marksKey({ id, receivedAt: receivedAtOf(id) }))?.['body'] : undefined;
    if (marks instanceof Uint8Array) mark(id, readMarks(marks));
    return place;
  };
  return {
    add: (key, listing, shared) => {
      const { id, mailbox, domain, summary, texts } = listing;
      const known = sql.find.get(id)?.['seq'];
      const mail = typeof known === 'number' ? known : addMail(listing, shared);
      sql.addCopy.run(key, mail, mailbox, domain, summary, shared);
      if (typeof known === 'number') sql.outdate.run(mail);
      // Another copy has another recipient: then all copies are read.
      if (typeof known === 'number' || texts === null) recent.forget(mail);
      else recent.keep(mail, texts);
    },
    remove: (key) => {
      const mail = sql.removeCopy.get(key)?.['mail'];
      const gone = typeof mail === 'number' ? sql.removeMail.get(mail, mail) : undefined;
      if (typeof mail !== 'number' || gone === undefined) return;
      sql.untag.run(mail);
      recent.forget(mail);
      if (gone['is_indexed'] !== 0) sql.removeText.run(mail);
    },
    mark,
  };
}

/** Where a new message stands: by the time in its id, behind those of the same millisecond. */
function freePlace(sql: ReturnType<typeof statements>, id: string): number {
  for (let from = firstPlaceAt(id); ; from = nextPlaceAfter(from)) {
    const last = sql.lastPlace.get(from, nextPlaceAfter(from))?.['seq'];
    const place = typeof last === 'number' ? asNumber(last) + 1 : from;
    if (place < nextPlaceAfter(from)) return place;
  }
}

function statements(database: DatabaseSync) {
  return {
    find: database.prepare('SELECT seq FROM mails WHERE id = ?'),
    lastPlace: database.prepare('SELECT max(seq) AS seq FROM mails WHERE seq >= ? AND seq < ?'),
    addMail: database.prepare(
      'INSERT INTO mails (seq, id, bytes, attachments, spf, dkim, dmarc, is_read) VALUES (?, ?, ?, ?, ?, ?, ?, 0)',
    ),
    addMailOfShared: database.prepare(
      `INSERT INTO mails (seq, id, bytes, attachments, spf, dkim, dmarc, is_read)
       SELECT ?, ?, summary ->> 'bytes', summary ->> 'attachments', summary ->> 'spf', summary ->> 'dkim', summary ->> 'dmarc', 0
       FROM shared_parts WHERE seq = ?`,
    ),
    addCopy: database.prepare(
      'INSERT INTO messages (key, mail, mailbox, domain, summary, shared) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    removeCopy: database.prepare('DELETE FROM messages WHERE key = ? RETURNING mail'),
    removeMail: database.prepare(
      'DELETE FROM mails WHERE seq = ? AND NOT EXISTS (SELECT 1 FROM messages WHERE mail = ?) RETURNING is_indexed',
    ),
    outdate: database.prepare(`UPDATE mails SET is_indexed = ${outdated} WHERE seq = ? AND is_indexed = 1`),
    removeText: database.prepare('DELETE FROM mail_text WHERE rowid = ?'),
    mark: database.prepare('UPDATE mails SET is_read = ? WHERE seq = ? AND is_read <> ?'),
    untag: database.prepare('DELETE FROM mail_tags WHERE mail = ?'),
    tag: database.prepare('INSERT OR IGNORE INTO mail_tags (tag, mail) VALUES (?, ?)'),
    body: database.prepare('SELECT body FROM objects WHERE key = ?'),
  };
}
