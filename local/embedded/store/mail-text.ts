// The full-text index of mail: each message's texts by their trigrams, so that any part of a word is found. Messages are indexed in steps
// after they were stored, each by a transaction that also says that it is; until then a search reads them.
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { asNumber } from '#local/embedded/database.ts';
import type { Answer, Request } from '#local/embedded/requests.ts';
import { type SearchTexts, searchTexts } from '#ops/messages/search-match.ts';
import { parseInboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import type { RecentTexts } from './recent-texts.ts';

export type MailText = {
  /** The texts of a message, of all its copies; null if none of them can be read. */
  readonly read: (mail: number) => SearchTexts | null;
  readonly index: (step: Request<'indexText'>) => Answer<'indexText'>;
  readonly left: () => number;
};

/** Of 4 KB: some 15 ms of work. */
const mergedPages = 200;
const manyParts = 200;
const nothing: SearchTexts = { from: '', to: '', subject: '', other: '', header: '' };

/** Over the database that the messages are in. */
export function mailText(database: DatabaseSync, recent: RecentTexts): MailText {
  const copies = database.prepare(
    `SELECT objects.body, shared_parts.body AS rest FROM messages JOIN objects ON objects.key = messages.key
     LEFT JOIN shared_parts ON shared_parts.seq = objects.shared WHERE mail = ? ORDER BY messages.key`,
  );
  const waiting = database.prepare('SELECT seq, is_indexed FROM mails WHERE is_indexed <> 1 ORDER BY seq DESC LIMIT ?');
  const waitingCount = database.prepare('SELECT count(*) AS count FROM mails WHERE is_indexed <> 1');
  const remove = database.prepare('DELETE FROM mail_text WHERE rowid = ?');
  const add = database.prepare(
    'INSERT INTO mail_text (rowid, sender, recipients, subject, other, header) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const done = database.prepare('UPDATE mails SET is_indexed = 1 WHERE seq = ?');

  const parts = database.prepare(
    `WITH RECURSIVE part (id) AS (SELECT min(segid) FROM mail_text_idx
       UNION ALL SELECT (SELECT min(segid) FROM mail_text_idx WHERE segid > id) FROM part WHERE id IS NOT NULL)
     SELECT count(id) AS count FROM part`,
  );
  const countParts = (): number => asNumber(parts.get()?.['count']);
  const mergeSome = database.prepare("INSERT INTO mail_text (mail_text, rank) VALUES ('merge', ?)");
  const changes = database.prepare('SELECT total_changes() AS count');
  /** Merges parts of the index a little; answers whether there was something to merge. */
  const merge = (): boolean => {
    const before = asNumber(changes.get()?.['count']);
    mergeSome.run(mergedPages);
    // SQLite's manual: it did nothing if less than two changes were counted.
    return asNumber(changes.get()?.['count']) - before >= 2;
  };
  const read = (mail: number): SearchTexts | null => recent.find(mail) ?? readStored(mail);
  const readStored = (mail: number): SearchTexts | null => {
    const messages = copies
      .all(mail)
      .flatMap(({ body, rest }) => parseInboxMessage(`${decode(body)}${decode(rest)}`) ?? []);
    const [first, ...others] = messages.map(searchTexts);
    // Copies differ in the address they were sent to, which stands last.
    return first === undefined
      ? null
      : { ...first, to: [first.to, ...others.map(({ to }) => lastLine(to))].join('\n') };
  };
  const left = (): number => asNumber(waitingCount.get()?.['count']);
  return {
    read,
    left,
    index: ({ atLeast, limit }) => {
      const newest = waiting.all(limit);
      if (newest.length < atLeast) return { areLeft: newest.length > 0, isMore: merge() };
      // In order of place: what goes backwards costs the index a segment each.
      const rows = newest.toReversed();
      for (const { seq, is_indexed: state } of rows) {
        const mail = asNumber(seq);
        if (state === outdated) remove.run(mail);
        const { from, to, subject, other, header } = read(mail) ?? nothing;
        add.run(mail, from, to, subject, other, indexedHeader(header));
        done.run(mail);
        recent.forget(mail);
      }
      // Where mail comes faster than it is indexed, there is never a step for this alone.
      if (countParts() > manyParts) merge();
      return { areLeft: rows.length === limit, isMore: true };
    },
  };
}

/** How much of a header field's value is in the index: most of what is longer is signatures, which nobody looks for. */
export const indexedValueLength = 48;

/** Each line as far as it is indexed (`name: value`), with an end. */
function indexedHeader(header: string): string {
  const lines = header.split('\n').map((line) => line.slice(0, line.indexOf(': ') + 2 + indexedValueLength));
  return `${lines.join('\n')}\n`;
}

/** `mails.is_indexed`: it is in the index, but a copy has come since. */
export const outdated = 2;

function lastLine(text: string): string {
  return text.slice(text.lastIndexOf('\n') + 1);
}

function decode(bytes: SQLOutputValue | undefined): string {
  return bytes instanceof Uint8Array ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString() : '';
}
