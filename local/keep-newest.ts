// Keeps the newest messages of each mailbox, as many as was said, and deletes the others with all that is theirs: a moment after mail came,
// a little at a time.
import type { OpsAdmin } from '#ops/admin.ts';
import { deleteEach } from '#ops/messages/delete-messages.ts';
import type { ConfigSource } from '#pipeline/config/config.ts';
import { isMailKey } from '#pipeline/contract/keys.ts';
import type { Log, ObjectStore } from '#pipeline/contract/ports.ts';
import { errorFields } from '#pipeline/observe/log.ts';

const soonMs = 500;
const nextMs = 20;
const atOnce = 100;

export type KeepNewestDeps = {
  readonly admin: OpsAdmin;
  readonly store: Pick<ObjectStore, 'get' | 'list' | 'delete'>;
  readonly config: ConfigSource;
  /** How many, whatever is configured; null: as it is configured. */
  readonly keep: number | null;
  readonly log: Log;
};

/** Starts it; answers how to stop it. */
export function startKeepingNewest(deps: KeepNewestDeps): () => void {
  let timer: NodeJS.Timeout | null = null;
  let isStopped = false;
  /** Mail came since the step began that is under way. */
  let isNew = false;
  const later = (ms: number): void => {
    if (!isStopped) timer ??= setTimeout(() => void step(), ms).unref();
  };
  const step = async (): Promise<void> => {
    isNew = false;
    const deleted = await deleteSome(deps).catch((error: unknown) => {
      deps.log.error('expired-mail-not-deleted', errorFields(error));
      return 0;
    });
    timer = null;
    if (deleted > 0) deps.log.info('expired-mail-deleted', { messages: deleted });
    if (deleted > 0 || isNew) later(deleted > 0 ? nextMs : soonMs);
  };
  const stopWatching = deps.admin.watch((key) => {
    if (!isMailKey(key)) return;
    isNew = true;
    later(soonMs);
  });
  later(soonMs);
  return () => {
    isStopped = true;
    stopWatching();
    if (timer !== null) clearTimeout(timer);
  };
}

/** Deletes some of what is too much; answers how many messages lost a copy. */
async function deleteSome({ admin, store, config, keep }: KeepNewestDeps): Promise<number> {
  const kept = keep ?? (await config.current()).retention.messagesPerMailbox;
  if (kept === undefined) return 0;
  const { mailboxes } = await admin.mailboxes();
  let deleted = 0;
  for (const { name, messages } of mailboxes.filter((mailbox) => mailbox.messages > kept)) {
    const oldest = await admin.oldest(name, Math.min(messages - kept, atOnce));
    deleted += await deleteEach({ admin, store }, oldest, name);
  }
  return deleted;
}
