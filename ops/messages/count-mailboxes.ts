// Counts mailboxes from the keys of mail and the marks of messages, where no index has the counts.

import type { MailboxCounts } from '#ops/admin.ts';
import { messageIdOf, parseMessageKey } from '#pipeline/contract/keys.ts';
import type { Marks } from '#pipeline/contract/records/marks.ts';

/** `keys`: those of all copies. `marksOf`: by message id; a message without marks is not in it. */
export function countMailboxes(keys: readonly string[], marksOf: ReadonlyMap<string, Marks>): MailboxCounts {
  const mailboxes = new Map<string, { messages: number; unread: number }>();
  const ids = new Set<string>();
  const isUnread = (id: string): boolean => marksOf.get(id)?.read !== true;
  for (const key of keys) {
    const [mailbox, id] = [parseMessageKey(key), messageIdOf(key)];
    if (mailbox === null || id === null) continue;
    ids.add(id);
    const name = `${mailbox.localPart}@${mailbox.domain}`;
    const { messages, unread } = mailboxes.get(name) ?? { messages: 0, unread: 0 };
    mailboxes.set(name, { messages: messages + 1, unread: unread + (isUnread(id) ? 1 : 0) });
  }
  const tags = new Map<string, number>();
  for (const id of ids) for (const tag of marksOf.get(id)?.tags ?? []) tags.set(tag, (tags.get(tag) ?? 0) + 1);
  return {
    mailboxes: byName(mailboxes).map(([name, counts]) => ({ name, ...counts })),
    messages: ids.size,
    unread: [...ids].filter(isUnread).length,
    tags: byName(tags).map(([name, messages]) => ({ name, messages })),
  };
}

function byName<Value>(entries: ReadonlyMap<string, Value>): readonly (readonly [string, Value])[] {
  return [...entries].sort(([one], [other]) => (one < other ? -1 : 1));
}
