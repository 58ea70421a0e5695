// What the ops API asks of the embedded world. Lists are read in bounded steps, so that mail coming in never waits.

import { isMessageId, messageIdTime } from '#mail/header/message-id.ts';
import type { MessagePage, MessageQuery, OpsAdmin } from '#ops/admin.ts';
import type { MarkedSummary } from '#ops/messages/message-summary.ts';
import { deliveriesPrefix, deliveryPrefix, isDeliveryKey, isMailKey, isMarksKey } from '#pipeline/contract/keys.ts';
import type { Client } from './client.ts';

const searchMs = 5_000;

type Watchers = Set<(key: string) => void>;

/** Those of `written` are told of every key written by whoever writes, of `deleted` likewise; here they are only kept. */
export function createAdmin(
  client: Client,
  watchers: { readonly written: Watchers; readonly deleted: Watchers },
): OpsAdmin {
  return {
    queues: () => client.ask({ kind: 'queues' }),
    redrive: (queue) => client.ask({ kind: 'redrive', queue }),
    purge: (queue) => client.ask({ kind: 'purge', queue }),
    deadLetters: (queue, limit) => client.ask({ kind: 'deadLetters', queue, limit }),
    heldJobs: (id) => client.ask({ kind: 'heldJobs', id }),
    messages: (query) => search(client, query),
    findMessage: (id) => client.ask({ kind: 'findMessage', id }),
    underWay: (ids) => client.ask({ kind: 'underWay', ids }),
    deliveryKeys: async ({ id, limit, after }) => {
      if (id !== null && !isMessageId(id)) return { keys: [], next: null };
      const receivedAt = id === null ? '' : new Date(messageIdTime(id)).toISOString();
      const prefix = id === null ? deliveryPrefix : deliveriesPrefix({ id, receivedAt });
      return client.ask({ kind: 'newestKeys', prefix, before: after, limit });
    },
    summary: (key) => client.ask({ kind: 'summary', key }),
    oldest: async (mailbox, limit) => (await client.ask({ kind: 'oldest', mailbox, limit })).filter(isMessageId),
    mailboxes: () => client.ask({ kind: 'mailboxes' }),
    watch: (listener) => join(watchers.written, isWatchedKey, listener),
    watchDeleted: (listener) => join(watchers.deleted, isMailKey, listener),
  };
}

function isWatchedKey(key: string): boolean {
  return isMailKey(key) || isDeliveryKey(key) || isMarksKey(key);
}

function join(watchers: Watchers, isWanted: (key: string) => boolean, listener: (key: string) => void): () => void {
  const watcher = (key: string): void => {
    if (isWanted(key)) listener(key);
  };
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** Steps through the mail until the page is full, all was looked at, or the time is over (`next` then leads on). */
async function search(client: Client, query: MessageQuery): Promise<MessagePage> {
  const end = performance.now() + searchMs;
  const messages: MarkedSummary[] = [];
  const found = new Set<string>();
  let after = query.after;
  do {
    const limit = query.limit - found.size;
    const step = await client.ask({ kind: 'messages', ...query, limit, after });
    messages.push(...step.messages);
    for (const { id } of step.messages) found.add(id);
    after = step.next;
  } while (after !== null && found.size < query.limit && performance.now() < end);
  return { messages, next: after };
}
