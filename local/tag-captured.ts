// Gives captured mail the tags that its sender names in the field X-Tags, as Mailpit does: an app under test says with it which test a mail
// is of. Once, when the mail comes: who takes them off does not get them back.
import { receivedAtOf } from '#mail/header/message-id.ts';
import type { OpsAdmin } from '#ops/admin.ts';
import { cleanTag } from '#ops/mailpit/clean-tag.ts';
import { maxTagLength, maxTags } from '#ops/messages/mark-messages.ts';
import type { ConfigSource } from '#pipeline/config/config.ts';
import { isMailKey, messageIdOf } from '#pipeline/contract/keys.ts';
import type { Log, ObjectStore } from '#pipeline/contract/ports.ts';
import { type InboxMessage, inboxMessageRecord } from '#pipeline/contract/records/inbox-message.ts';
import { marksRecord, newMarks } from '#pipeline/contract/records/marks.ts';
import { errorFields } from '#pipeline/observe/log.ts';

/** Mail beyond that, which comes faster than it is read, gets no tags. */
const maxWaiting = 5_000;

export type TagCapturedDeps = {
  readonly admin: Pick<OpsAdmin, 'watch'>;
  readonly store: Pick<ObjectStore, 'get' | 'put'>;
  readonly config: ConfigSource;
  readonly log: Pick<Log, 'warn'>;
};

/** Starts it; answers how to stop it. */
export function startTaggingCaptured({ admin, store, config, log }: TagCapturedDeps): () => void {
  const waiting: string[] = [];
  let isWorking = false;
  let isStopped = false;
  const work = async (): Promise<void> => {
    if (isWorking) return;
    isWorking = true;
    for (let key = waiting.shift(); key !== undefined && !isStopped; key = waiting.shift()) {
      try {
        if ((await config.current()).mode === 'capture') await tag(store, key);
      } catch (thrown) {
        if (!isStopped) log.warn('ops-event-lost', { key, ...errorFields(thrown) });
      }
    }
    isWorking = false;
  };
  const stopWatching = admin.watch((key) => {
    if (!isMailKey(key) || waiting.length >= maxWaiting) return;
    waiting.push(key);
    void work();
  });
  return () => {
    isStopped = true;
    stopWatching();
  };
}

/** A message about which somebody has said something already stays as it is. */
async function tag(store: TagCapturedDeps['store'], key: string): Promise<void> {
  const id = messageIdOf(key);
  const message = await inboxMessageRecord.find(store, key);
  const tags = message === null ? [] : tagsOf(message);
  if (id === null || tags.length === 0) return;
  await marksRecord.change(
    store,
    marksRecord.key({ id, receivedAt: receivedAtOf(id) }),
    (found) => found ?? { ...newMarks(id), tags },
  );
}

function tagsOf({ headers }: Pick<InboxMessage, 'headers'>): string[] {
  const named = headers.filter(({ name }) => name.toLowerCase() === 'x-tags').flatMap(({ value }) => value.split(','));
  const tags = named.map(cleanTag).filter((one) => one !== '' && one.length <= maxTagLength);
  return [...new Set(tags)].slice(0, maxTags);
}
