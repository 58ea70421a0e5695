// The keys of mail and deliveries, newest message first: S3 lists in order of key only, a person reads the latest first.
import { deliveryPrefix, isDeliveryKey, mailFolders, messageIdOf } from '#pipeline/contract/keys.ts';
import { listAll } from '#pipeline/contract/list-all.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';

export type KeyIndex = {
  readonly add: (key: string) => void;
  readonly remove: (key: string) => void;
  /** Newest message first; `after` is the last key of the page before. `mail`: inbox/ and quarantine/. */
  readonly newest: (kind: 'mail' | 'delivery', after: string | null) => readonly string[];
  readonly ofMessage: (id: string) => readonly string[];
};

const folders = [...mailFolders.map((folder) => `${folder}/`), deliveryPrefix];

/** Reads what there is. */
export async function openKeyIndex(store: Pick<ObjectStore, 'list'>): Promise<KeyIndex> {
  const keys = new Set<string>();
  for (const prefix of folders) {
    for (const { key } of await listAll(store.list, prefix)) keys.add(key);
  }
  return {
    add: (key) => {
      if (folders.some((folder) => key.startsWith(folder))) keys.add(key);
    },
    remove: (key) => {
      keys.delete(key);
    },
    newest: (kind, after) => {
      const isWanted = (key: string) => (kind === 'delivery') === isDeliveryKey(key);
      const sorted = [...keys].filter(isWanted).sort((one, other) => byAge(other, one));
      return after === null ? sorted : sorted.filter((key) => byAge(key, after) < 0);
    },
    ofMessage: (id) => [...keys].filter((key) => messageIdOf(key) === id),
  };
}

function byAge(one: string, other: string): number {
  const [a, b] = [`${messageIdOf(one) ?? ''} ${one}`, `${messageIdOf(other) ?? ''} ${other}`];
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
