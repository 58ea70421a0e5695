// The texts of messages that were just stored, in memory until the index has them: so nobody has to read and parse a message for its
// texts a second time. Only a shortcut: what is not here is read from the database.
import type { SearchTexts } from '#ops/messages/search-match.ts';

/** By the number of the message in lists. */
export type RecentTexts = {
  readonly keep: (mail: number, texts: SearchTexts) => void;
  readonly find: (mail: number) => SearchTexts | null;
  readonly forget: (mail: number) => void;
  /** Forgets all: a transaction was taken back, and what is here may not be what is stored. */
  readonly forgetAll: () => void;
};

/** Some thousand messages of the usual length; 8 MiB at most. */
const maxCharacters = 4_194_304;

export function recentTexts(): RecentTexts {
  const kept = new Map<number, SearchTexts>();
  let characters = 0;
  const forget = (mail: number): void => {
    const texts = kept.get(mail);
    if (texts === undefined) return;
    kept.delete(mail);
    characters -= lengthOf(texts);
  };
  return {
    keep: (mail, texts) => {
      forget(mail);
      const length = lengthOf(texts);
      if (characters + length > maxCharacters) return;
      kept.set(mail, texts);
      characters += length;
    },
    find: (mail) => kept.get(mail) ?? null,
    forget,
    forgetAll: () => {
      kept.clear();
      characters = 0;
    },
  };
}

function lengthOf({ from, to, subject, other, header }: SearchTexts): number {
  return from.length + to.length + subject.length + other.length + header.length;
}
