// What happens to mail as texts of server-sent events: `message`, `delivery`, `marked`, `deleted` for messages that are in no
// mailbox any more, and `changed` for those that lost a copy and have others. Objects are read some at a time, in the order in which they were written.
import type { MessageId } from '#mail/header/message-id.ts';
import type { OpsAdmin } from '#ops/admin.ts';
import { listed } from '#ops/messages/list-messages.ts';
import { isMailKey, isMarksKey, messageIdOf, parseDeliveryKey } from '#pipeline/contract/keys.ts';
import type { Log, ObjectStore } from '#pipeline/contract/ports.ts';
import { deliveryRecord } from '#pipeline/contract/records/delivery.ts';
import { marksRecord } from '#pipeline/contract/records/marks.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import { eventText } from './streamed-events.ts';

/** What the events are read from. */
export type MailEventDeps = {
  readonly store: Pick<ObjectStore, 'get' | 'head' | 'list'>;
  readonly admin: OpsAdmin;
  readonly log: Pick<Log, 'warn'>;
};

const maxWaiting = 5_000;
const readTogether = 32;
const maxNamed = 1_000;
/** So many deleted messages are known as told. */
const maxTold = 5_000;

/** Calls `send` with one or several events until the function it answers is called. */
export function watchMail(deps: MailEventDeps, send: (text: string) => void): () => void {
  const waiting: string[] = [];
  const deleted = new Set<MessageId>();
  /** Its copies go one by one: the first may find that none is left, and so may the next. */
  const told = new Set<MessageId>();
  let isPublishing = false;

  const read = (event: Promise<string | null>, what: string): Promise<string | null> =>
    event.catch((thrown: unknown) => {
      deps.log.warn('ops-event-lost', { key: what, ...errorFields(thrown) });
      return null;
    });
  const publish = async (): Promise<void> => {
    if (isPublishing) return;
    isPublishing = true;
    while (waiting.length > 0 || deleted.size > 0) {
      const written = waiting.splice(0, readTogether).map((key) => read(eventOf(deps, key), key));
      const events = await Promise.all([
        ...written,
        read(deletedEvents(deps.admin, takeAll(deleted), told), 'deleted'),
      ]);
      const text = events.filter((event) => event !== null).join('');
      if (text !== '') send(text);
    }
    isPublishing = false;
  };
  const stops = [
    deps.admin.watch((key) => {
      if (waiting.length < maxWaiting) waiting.push(key);
      const id = isMailKey(key) ? messageIdOf(key) : null;
      if (id !== null) told.delete(id);
      void publish();
    }),
    deps.admin.watchDeleted((key) => {
      const id = messageIdOf(key);
      if (id !== null) deleted.add(id);
      void publish();
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

function takeAll<Item>(from: Set<Item>): readonly Item[] {
  const all = [...from];
  from.clear();
  return all;
}

async function eventOf({ store, admin }: MailEventDeps, key: string): Promise<string | null> {
  const about = parseDeliveryKey(key);
  if (about !== null) {
    const stored = await deliveryRecord.read(store, key, () => null);
    return stored === null ? null : eventText('delivery', { ...about, state: stored.record?.state ?? null });
  }
  if (isMarksKey(key)) {
    const marks = await marksRecord.find(store, key);
    return marks && eventText('marked', { ids: [marks.id], read: marks.read, tags: marks.tags });
  }
  const summary = await admin.summary(key);
  return summary === null ? null : eventText('message', listed([summary]));
}

/** Which messages are gone, and which have lost a copy; null if there are none. Very many are not named. */
async function deletedEvents(
  { findMessage }: OpsAdmin,
  ids: readonly MessageId[],
  told: Set<MessageId>,
): Promise<string | null> {
  if (ids.length > maxNamed) return eventText('deleted', { all: true });
  const copies = await Promise.all(ids.map((id) => findMessage(id)));
  const isGone = (_: MessageId, n: number): boolean => copies[n]?.length === 0;
  const gone = ids.filter(isGone).filter((id) => !told.has(id));
  const left = ids.filter((id, n) => !isGone(id, n));
  for (const id of gone) told.add(id);
  for (const id of told) {
    if (told.size <= maxTold) break;
    told.delete(id);
  }
  const named = [['deleted', gone] as const, ['changed', left] as const].filter(([, some]) => some.length > 0);
  return named.length === 0 ? null : named.map(([event, some]) => eventText(event, { ids: some })).join('');
}
