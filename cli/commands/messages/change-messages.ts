// What people do to mail that came in: read or unread, tags, deletion. Many messages take several requests, and it is said how far they are.
import { z } from 'zod';
import { type CliArguments, type Command, optionValue, plain, usageError } from '#cli/command.ts';
import { asking } from '#cli/ops-client.ts';
import { deleteMessage, deleteMessages } from '#ops/messages/delete-messages.ts';
import { markAllRead, markAllUnread, markRead, markUnread, tagMessage } from '#ops/messages/mark-messages.ts';

const text = z.string();

/** A server of an earlier version deletes all in one request. */
const deleted = z.object({ deleted: z.number(), left: z.number().nullable().default(0) });

/** What an action on many messages is about. */
const chosen = {
  mailbox: { value: 'MAILBOX', about: 'the mail of local@domain, or of @domain' },
  q: { value: 'WORDS', about: 'what this search finds: words, fields like from:ann, -tag:done' },
  all: { value: null, about: 'all mail there is' },
} as const;

const marking = {
  name: 'mark',
  usage: '[ID] [options]',
  about: 'mark a message as read or unread, or all that a search finds, or the mail of a mailbox',
};

const deleteOne = asking({
  name: 'delete',
  usage: '[ID] [options]',
  about: 'delete a message, or all that a search finds, or the mail of a mailbox',
  asks: deleteMessage,
  options: { mailbox: { value: 'MAILBOX', about: 'only the copies in local@domain, or in @domain' } },
  reads: deleted,
  shows: ({ deleted: count }) => shownDeleted(count),
});

const deleteMany = asking({
  ...deleteOne,
  asks: deleteMessages,
  options: { ...chosen, ...deleteOne.options },
  reads: deleted,
  goesOn: ({ deleted: count, left }, so) => {
    const sum = { deleted: count + (so?.deleted ?? 0), left };
    return { sum, progress: left === 0 ? null : soFar(shownDeleted(sum.deleted), left), more: {} };
  },
  shows: ({ deleted: count }) => shownDeleted(count),
});

export const remove: Command = {
  ...deleteMany,
  gives: z.union([deleteMany.gives, deleteOne.gives]),
  takes: [0, 1],
  run: (given, world) => {
    if (given.positionals.length === 0) {
      refuseWithoutChoice(given);
      return deleteMany.run(given, world);
    }
    if (given.switches.has('all') || optionValue(given, 'q') !== null) {
      throw usageError('either an ID, or --q, or --all');
    }
    return deleteOne.run(given, world);
  },
};

/** Nothing is chosen by leaving everything out. */
function refuseWithoutChoice(given: CliArguments): void {
  if (given.switches.has('all') || ['q', 'mailbox'].some((name) => optionValue(given, name) !== null)) return;
  throw usageError('say which: an ID, --q, --mailbox or --all');
}

function shownDeleted(count: number): string {
  return `deleted: ${messagesText(count)}`;
}

function soFar(shown: string, left: number | null): string {
  return `${shown} so far${left === null ? '' : `, ${left} left`}`;
}

function messagesText(count: number): string {
  return `${count} ${count === 1 ? 'message' : 'messages'}`;
}

const marks = z.object({ read: z.boolean(), tags: z.array(text) });

/** A server of an earlier version marks all in one request. */
const marked = z.object({
  marked: z.number(),
  left: z.number().nullable().default(0),
  next: text.nullable().default(null),
});

export const tag = asking({
  name: 'tag',
  usage: 'ID [options]',
  about: 'set the tags of a message, or take them away',
  asks: tagMessage,
  options: { tags: { value: 'A,B', about: 'these instead of those it has (default: none)' } },
  defaults: { tags: '' },
  reads: marks,
  shows: ({ tags }) => (tags.length === 0 ? 'it has no tags' : `tags: ${tags.map(plain).join(', ')}`),
});

const readOne = markingOne(markRead);
const readMany = markingMany(markAllRead);
const unreadOne = markingOne(markUnread);
const unreadMany = markingMany(markAllUnread);

export const mark: Command = {
  ...readMany,
  gives: z.union([readOne.gives, readMany.gives]),
  takes: [0, 1],
  options: { ...readMany.options, unread: { value: null, about: 'as unread' } },
  run: (given, world) => {
    const [one, many] = given.switches.has('unread') ? [unreadOne, unreadMany] : [readOne, readMany];
    if (given.positionals.length === 0) {
      refuseWithoutChoice(given);
      return many.run(given, world);
    }
    if (Object.keys(chosen).some((name) => given.switches.has(name) || optionValue(given, name) !== null)) {
      throw usageError('either an ID, or --mailbox, --q or --all');
    }
    return one.run(given, world);
  },
};

function markingOne(asks: typeof markRead): Command {
  return asking({ ...marking, asks, reads: marks, shows: ({ read }) => `it is ${read ? 'read' : 'unread'}` });
}

function markingMany(asks: typeof markAllRead): Command {
  return asking({
    ...marking,
    asks,
    options: chosen,
    reads: marked,
    goesOn: ({ marked: count, left, next }, so) => {
      const sum = { marked: count + (so?.marked ?? 0), left, next };
      if (next === null) return { sum, progress: null, more: {} };
      return { sum, progress: soFar(shownMarked(sum.marked), left), more: { after: next } };
    },
    shows: ({ marked: count }) => shownMarked(count),
  });
}

function shownMarked(count: number): string {
  return `marked: ${messagesText(count)}`;
}
