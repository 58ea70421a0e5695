// The keys of mail and deliveries, newest message first: S3 lists in order of key only, a person reads the latest first.
import type { ObjectStore } from '#pipeline/contract/ports.ts';

export type KeyIndex = {
  readonly add: (key: string) => void;
  /** Newest message first; `after` is the last key of the page before. `mail`: inbox/ and quarantine/. */
  readonly newest: (folder: 'mail' | 'deliveries/', after: string | null) => readonly string[];
  readonly ofMessage: (id: string) => readonly string[];
};

const folders = ['inbox/', 'quarantine/', 'deliveries/'];

/** Reads what there is. */
export async function openKeyIndex(store: Pick<ObjectStore, 'list'>): Promise<KeyIndex> {
  const keys = new Set<string>();
  for (const prefix of folders) {
    let after: string | null = null;
    do {
      const page: Awaited<ReturnType<ObjectStore['list']>> = await store.list(
        after === null ? { prefix } : { prefix, after },
      );
      for (const { key } of page.objects) keys.add(key);
      after = page.next;
    } while (after !== null);
  }
  return {
    add: (key) => {
      if (folders.some((folder) => key.startsWith(folder))) keys.add(key);
    },
    newest: (folder, after) => {
      const isWanted = (key: string) => (folder === 'deliveries/') === key.startsWith('deliveries/');
      const sorted = [...keys].filter(isWanted).sort((one, other) => byAge(other, one));
      return after === null ? sorted : sorted.filter((key) => byAge(key, after) < 0);
    },
    ofMessage: (id) => [...keys].filter((key) => messageOf(key) === id),
  };
}

function byAge(one: string, other: string): number {
  const [a, b] = [`${messageOf(one)} ${one}`, `${messageOf(other)} ${other}`];
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The id a key is about: `…/<id>.json`, or `deliveries/…/<id>/<domain>.json`. */
function messageOf(key: string): string {
  const segments = key.split('/');
  const last = segments.at(-1) ?? '';
  return key.startsWith('deliveries/') ? (segments.at(-2) ?? '') : last.replace(/\.json$/, '');
}
