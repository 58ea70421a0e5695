// The full-text index of mail: each message's texts by their trigrams, so that any part of a word is found. Messages are indexed in steps
// after they were stored, each by a transaction that also says that it is; until then a search reads them.
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { asNumber } from '#local/embedded/database.ts';
import { type SearchTexts, searchTexts } from '#ops/messages/search-match.ts';
import { parseInboxMessage } from '#pipeline/contract/records/inbox-message.ts';

export type MailText = {
  /** The texts of a message, of all its copies; null if none of them can be read. */
  readonly read: (mail: number) => SearchTexts | null;
  /** Indexes some messages, the newest first; answers how many are left. */
  readonly index: (atMost: number) => number;
};

const nothing: SearchTexts = { from: '', to: '', subject: '', other: '', header: '' };

/** Over the database that the messages are in. */
export function mailText(database: DatabaseSync): MailText {
  const copies = database.prepare(
    `SELECT objects.body, shared_parts.body AS rest FROM messages JOIN objects ON objects.key = messages.key
     LEFT JOIN shared_parts ON shared_parts.seq = objects.shared WHERE mail = ? ORDER BY messages.key`,
  );
  const waiting = database.prepare('SELECT seq, is_indexed FROM mails WHERE is_indexed <> 1 ORDER BY seq DESC LIMIT ?');
  const left = database.prepare('SELECT count(*) AS count FROM mails WHERE is_indexed <> 1');
  const remove = database.prepare('DELETE FROM mail_text WHERE rowid = ?');
  const add = database.prepare(
    'INSERT INTO mail_text (rowid, sender, recipients, subject, other, header) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const done = database.prepare('UPDATE mails SET is_indexed = 1 WHERE seq = ?');

  const read = (mail: number): SearchTexts | null => {
    const messages = copies
      .all(mail)
      .flatMap(({ body, rest }) => parseInboxMessage(`${decode(body)}${decode(rest)}`) ?? []);
    const [first, ...others] = messages.map(searchTexts);
    // Copies differ in the address they were sent to, which stands last.
    return first === undefined
      ? null
      : { ...first, to: [first.to, ...others.map(({ to }) => lastLine(to))].join('\n') };
  };
  return {
    read,
    index: (atMost) => {
      // In order of place: what goes backwards costs the index a segment each.
      const rows = waiting.all(atMost).toReversed();
      for (const { seq, is_indexed: state } of rows) {
        const mail = asNumber(seq);
        if (state === outdated) remove.run(mail);
        const { from, to, subject, other, header } = read(mail) ?? nothing;
        add.run(mail, from, to, subject, other, `${header}\n`);
        done.run(mail);
      }
      return rows.length < atMost ? 0 : asNumber(left.get()?.['count']);
    },
  };
}

/** `mails.is_indexed`: it is in the index, but a copy has come since. */
export const outdated = 2;

function lastLine(text: string): string {
  return text.slice(text.lastIndexOf('\n') + 1);
}

function decode(bytes: SQLOutputValue | undefined): string {
  return bytes instanceof Uint8Array ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString() : '';
}
