// The full-text index of mail itself: what of a message's texts is in it, in what form, and how its parts are kept in order. By
// trigrams, so that any part of a word is found; the texts themselves are not kept.
import type { DatabaseSync } from 'node:sqlite';
import { asNumber, asText } from '#local/embedded/database.ts';
import type { SearchTexts } from '#ops/messages/search-match.ts';

export type TextIndex = {
  readonly add: (mail: number, texts: SearchTexts) => void;
  readonly remove: (mail: number) => void;
  /** Merges parts of the index a little; answers whether there was something to merge. */
  readonly merge: () => boolean;
  /** Merges somewhat more if it is in so many parts that searches notice it. */
  readonly gather: () => void;
  /** The trigrams in the index that begin so; null if too many messages have them to look. */
  readonly grams: (begin: string) => readonly string[] | null;
};

/** How much of a header field's value is in the index: most of what is longer is signatures, which nobody looks for. */
export const indexedValueLength = 48;
/** Behind each header, and nowhere else in one: what all messages have. */
export const headerEnd = '\n\n\n';
/** Behind each other text: so two characters are always the begin of a trigram, also where they stand last. */
const textEnd = '\n\n';

/** Of 4 KB: some 5 ms of work. */
const mergedPages = 64;
/** As many as a hundred messages add, and more. */
const mergedIfScattered = 256;
const manyParts = 200;
/** The index counts them to name a trigram: a tenth of a second. */
const countedAtMost = 1_000_000;

export function textIndex(database: DatabaseSync): TextIndex {
  database.exec('CREATE VIRTUAL TABLE IF NOT EXISTS temp.mail_terms USING fts5vocab (main, mail_text, row)');
  const sql = statements(database);
  const countChanges = (): number => asNumber(sql.changes.get()?.['count']);
  return {
    add: (mail, { from, to, subject, other, header }) => {
      sql.add.run(mail, ...[from, to, subject, other].map((text) => `${text}${textEnd}`), indexedHeader(header));
    },
    remove: (mail) => {
      sql.remove.run(mail);
    },
    merge: () => {
      const before = countChanges();
      sql.merge.run(mergedPages);
      // SQLite's manual: it did nothing if less than two changes were counted.
      return countChanges() - before >= 2;
    },
    gather: () => {
      if (asNumber(sql.parts.get()?.['count']) > manyParts) sql.merge.run(mergedIfScattered);
    },
    grams: (begin) => {
      const found: string[] = [];
      let messages = 0;
      for (const { term, doc } of sql.terms.iterate(begin, `${begin}\u{10FFFF}`)) {
        found.push(asText(term));
        messages += asNumber(doc);
        if (messages > countedAtMost) return null;
      }
      return found;
    },
  };
}

function statements(database: DatabaseSync) {
  return {
    add: database.prepare(
      'INSERT INTO mail_text (rowid, sender, recipients, subject, other, header) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    remove: database.prepare('DELETE FROM mail_text WHERE rowid = ?'),
    merge: database.prepare("INSERT INTO mail_text (mail_text, rank) VALUES ('merge', ?)"),
    changes: database.prepare('SELECT total_changes() AS count'),
    parts: database.prepare(
      `WITH RECURSIVE part (id) AS (SELECT min(segid) FROM mail_text_idx
         UNION ALL SELECT (SELECT min(segid) FROM mail_text_idx WHERE segid > id) FROM part WHERE id IS NOT NULL)
       SELECT count(id) AS count FROM part`,
    ),
    terms: database.prepare('SELECT term, doc FROM mail_terms WHERE term >= ? AND term < ?'),
  };
}

/** Each line as far as it is indexed (`name: value`), with an end. */
function indexedHeader(header: string): string {
  const lines = header.split('\n').map((line) => line.slice(0, line.indexOf(': ') + 2 + indexedValueLength));
  return `${lines.join('\n')}${headerEnd}`;
}
