// The object store as a Map: passes the contract suite, loses everything when the test ends.
import { createHash } from 'node:crypto';
import type { ObjectFacts, ObjectStore } from '#pipeline/contract/ports.ts';

type Entry = ObjectFacts & { readonly content: Uint8Array };

export type MemoryStore = ObjectStore & {
  readonly objects: Map<string, Entry>;
  /** Puts an object in without ceremony. */
  readonly seed: (key: string, content: Uint8Array | string, metadata?: Readonly<Record<string, string>>) => void;
  /** The content of an object as bytes, text, JSON; throws where there is none. */
  readonly bytes: (key: string) => Uint8Array;
  readonly text: (key: string) => string;
  readonly json: (key: string) => any;
  readonly has: (key: string) => boolean;
  /** The keys, in order, of those under a prefix. */
  readonly keys: (prefix?: string) => readonly string[];
  /** While set, every operation throws it. */
  fail: Error | null;
};

const chunkBytes = 65_536;

/** An empty store. */
export function createMemoryStore(clock: () => number = Date.now): MemoryStore {
  const objects = new Map<string, Entry>();
  let version = 0;
  const store: MemoryStore = {
    objects,
    fail: null,
    seed: (key, content, metadata = {}) => {
      const bytes = typeof content === 'string' ? Buffer.from(content) : Uint8Array.from(content);
      version += 1;
      const digest = createHash('md5').update(bytes).update(String(version)).digest('hex');
      objects.set(key, {
        key,
        bytes: bytes.length,
        etag: `"${digest}"`,
        contentType: 'application/octet-stream',
        metadata,
        modifiedAt: new Date(clock()).toISOString(),
        content: bytes,
      });
    },
    bytes: (key) => {
      const entry = objects.get(key);
      if (entry === undefined) throw new Error(`no object ${key}; there are: ${[...objects.keys()].join(', ')}`);
      return entry.content;
    },
    text: (key) => Buffer.from(store.bytes(key)).toString('utf8'),
    json: (key) => JSON.parse(store.text(key)),
    has: (key) => objects.has(key),
    keys: (prefix = '') => [...objects.keys()].filter((key) => key.startsWith(prefix)).sort(byBytes),
    put: async ({ key, body, sharedTail = new Uint8Array(), contentType, metadata = {}, condition }) => {
      const content = Buffer.concat([await collect(body), sharedTail]);
      refuse();
      const before = objects.get(key);
      if (condition !== undefined && 'ifAbsent' in condition && before !== undefined) return { outcome: 'conflict' };
      if (condition !== undefined && 'ifMatch' in condition && before?.etag !== condition.ifMatch) {
        return { outcome: 'conflict' };
      }
      store.seed(key, content, metadata);
      const stored = { ...(objects.get(key) as Entry), contentType };
      objects.set(key, stored);
      return { outcome: 'stored', etag: stored.etag };
    },
    get: async (key, range) => {
      refuse();
      const entry = objects.get(key);
      if (entry === undefined) return null;
      const content = range === undefined ? entry.content : entry.content.subarray(range.first, range.last + 1);
      return { ...factsOf(entry), body: chunks(content) };
    },
    head: async (key) => {
      refuse();
      const entry = objects.get(key);
      return entry === undefined ? null : factsOf(entry);
    },
    list: async ({ prefix, after, limit = 1000 }) => {
      refuse();
      const keys = store.keys(prefix).filter((key) => after === undefined || byBytes(key, after) > 0);
      const page = keys.slice(0, limit);
      const listed = page.map((key) => {
        const { bytes, etag, modifiedAt } = objects.get(key) as Entry;
        return { key, bytes, etag, modifiedAt };
      });
      return { objects: listed, next: keys.length > page.length ? (page.at(-1) ?? null) : null };
    },
    delete: async (key, condition) => {
      refuse();
      const entry = objects.get(key);
      if (entry !== undefined && condition !== undefined && entry.etag !== condition.ifMatch) return 'conflict';
      objects.delete(key);
      return 'deleted';
    },
  };
  const refuse = (): void => {
    if (store.fail !== null) throw store.fail;
  };
  return store;
}

/** All bytes of a body in one piece. */
export async function collect(body: Uint8Array | AsyncIterable<Uint8Array>): Promise<Buffer> {
  if (body instanceof Uint8Array) return Buffer.from(body);
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}

function factsOf({ content: _, ...facts }: Entry): ObjectFacts {
  return facts;
}

async function* chunks(content: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += chunkBytes) yield content.subarray(at, at + chunkBytes);
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
