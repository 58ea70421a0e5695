// What of the mail is in the full-text index. Messages are indexed in steps
// after they were stored, each by a transaction that also says that it is; until then a search reads them.
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { asNumber } from '#local/embedded/database.ts';
import type { Answer, Request } from '#local/embedded/requests.ts';
import { type SearchTexts, searchTexts } from '#ops/messages/search-match.ts';
import { parseInboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import type { RecentTexts } from './recent-texts.ts';
import { type TextIndex, textIndex } from './text-index.ts';

export type MailText = {
  /** The texts of a message, of all its copies; null if none of them can be read. */
  readonly read: (mail: number) => SearchTexts | null;
  readonly index: (step: Request<'indexText'>) => Answer<'indexText'>;
  readonly left: () => number;
  readonly grams: TextIndex['grams'];
};

const nothing: SearchTexts = { from: '', to: '', subject: '', other: '', header: '' };

/** Over the database that the messages are in. */
export function mailText(database: DatabaseSync, recent: RecentTexts): MailText {
  const copies = database.prepare(
    `SELECT objects.body, shared_parts.body AS rest FROM messages JOIN objects ON objects.key = messages.key
     LEFT JOIN shared_parts ON shared_parts.seq = objects.shared WHERE mail = ? ORDER BY messages.key`,
  );
  const waiting = database.prepare('SELECT seq, is_indexed FROM mails WHERE is_indexed <> 1 ORDER BY seq DESC LIMIT ?');
  const waitingCount = database.prepare('SELECT count(*) AS count FROM mails WHERE is_indexed <> 1');
  const done = database.prepare('UPDATE mails SET is_indexed = 1 WHERE seq = ?');

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
  const index = textIndex(database);
  return {
    read,
    left,
    grams: index.grams,
    index: ({ atLeast, limit }) => {
      const newest = waiting.all(limit);
      if (newest.length < atLeast) return { areLeft: newest.length > 0, isMore: index.merge() };
      // In order of place: what goes backwards costs the index a segment each.
      const rows = newest.toReversed();
      for (const { seq, is_indexed: state } of rows) {
        const mail = asNumber(seq);
        if (state === outdated) index.remove(mail);
        index.add(mail, read(mail) ?? nothing);
        done.run(mail);
        recent.forget(mail);
      }
      // Where mail comes faster than it is indexed, there is never a step for this alone.
      index.gather();
      return { areLeft: rows.length === limit, isMore: true };
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
