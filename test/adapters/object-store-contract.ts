// What every object store must do, as tests over a factory: run for the embedded store, S3 (emulated) and the fake.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { ObjectStore, StoredObject } from '#pipeline/contract/ports.ts';

export type StoreUnderTest = { readonly store: ObjectStore; readonly close: () => Promise<void> };

const octets = 'application/octet-stream';

/** Registers the tests. `make` answers an empty store; `name` stands before each title. */
export function objectStoreContract(name: string, make: () => Promise<StoreUnderTest>): void {
  const check = (title: string, run: (store: ObjectStore) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      const { store, close } = await make();
      try {
        await run(store);
      } finally {
        await close();
      }
    });
  };

  for (const bytes of [0, 1, 4_095, 4_096, 65_536, 65_537, 262_144, 262_145, 1_000_003]) {
    check(`an object of ${bytes} bytes reads back as it was written`, async (store) => {
      const body = randomBytes(bytes);
      const metadata = { one: 'text', two: '{"json": "yes"}' };
      const put = await store.put({ key: 'raw/a.eml', body, contentType: 'message/rfc822', metadata });
      assert.equal(put.outcome, 'stored');
      const object = await store.get('raw/a.eml');
      assert.ok(object !== null);
      assert.deepEqual(await content(object), body);
      assert.deepEqual(
        { key: object.key, bytes: object.bytes, contentType: object.contentType, metadata: { ...object.metadata } },
        { key: 'raw/a.eml', bytes, contentType: 'message/rfc822', metadata },
      );
      const head = await store.head('raw/a.eml');
      assert.equal(head?.bytes, bytes);
      assert.equal(head?.etag, put.etag);
      assert.ok(Math.abs(Date.parse(head?.modifiedAt ?? '') - Date.now()) < 60_000);
    });
  }

  check('a body that comes in pieces is stored whole, whatever their sizes', async (store) => {
    const pieces = [0, 1, 7, 100_000, 0, 262_144, 3].map((bytes) => randomBytes(bytes));
    async function* body() {
      for (const piece of pieces) yield piece;
    }
    await store.put({ key: 'raw/p.eml', body: body(), contentType: octets });
    assert.deepEqual(await content(await store.get('raw/p.eml')), Buffer.concat(pieces));
  });

  for (const bytes of [0, 10, 100_000, 300_000]) {
    check(
      `objects that share their last ${bytes} bytes read as what they are, and outlive one another`,
      async (store) => {
        const sharedTail = randomBytes(bytes);
        const folder = bytes > 262_144 ? 'attachments' : 'inbox';
        const keys = [1, 2, 3].map((n) => `${folder}/a/${n}.json`);
        const whole = (key: string): Buffer => Buffer.concat([Buffer.from(key), sharedTail]);
        const put = (key: string, body = key) =>
          store.put({ key, body: Buffer.from(body), sharedTail, contentType: octets, condition: { ifAbsent: true } });
        const outcomes = await Promise.all(keys.map((key) => put(key)));
        assert.ok(outcomes.every(({ outcome }) => outcome === 'stored'));
        assert.equal((await put(keys[0] ?? '', 'other')).outcome, 'conflict');
        for (const key of keys) {
          assert.ok((await content(await store.get(key))).equals(whole(key)), key);
          assert.equal((await store.head(key))?.bytes, whole(key).length);
          const range = { first: key.length - 2, last: key.length + 2 };
          assert.deepEqual(
            await content(await store.get(key, range)),
            whole(key).subarray(range.first, range.last + 1),
          );
        }
        const [first = '', second = '', third = ''] = keys;
        await store.delete(first);
        await store.put({ key: second, body: Buffer.from('x'), sharedTail, contentType: octets });
        assert.deepEqual(await content(await store.get(second)), Buffer.concat([Buffer.from('x'), sharedTail]));
        await store.put({ key: second, body: Buffer.from('alone'), contentType: octets });
        assert.equal(String(await content(await store.get(second))), 'alone');
        assert.ok((await content(await store.get(third))).equals(whole(third)));
        await store.put({ key: third, body: Buffer.from('y'), sharedTail, contentType: octets });
        assert.deepEqual(await content(await store.get(third)), Buffer.concat([Buffer.from('y'), sharedTail]));
        await store.delete(third);
        assert.equal((await put(first)).outcome, 'stored', 'the last one that had it was deleted');
        assert.ok((await content(await store.get(first))).equals(whole(first)));
      },
    );
  }

  check('a body that breaks off leaves nothing behind', async (store) => {
    async function* body() {
      yield randomBytes(300_000);
      throw new Error('the source broke');
    }
    await assert.rejects(store.put({ key: 'raw/broken.eml', body: body(), contentType: octets }), /the source broke/);
    assert.equal(await store.head('raw/broken.eml'), null);
  });

  check('pieces that are read are at most 64 KiB', async (store) => {
    await store.put({ key: 'raw/big.eml', body: randomBytes(700_000), contentType: octets });
    const object = await store.get('raw/big.eml');
    for await (const piece of object?.body ?? []) assert.ok(piece.length <= 65_536, `${piece.length}`);
  });

  check('what is not there reads as null and deletes without complaint', async (store) => {
    assert.equal(await store.get('raw/none.eml'), null);
    assert.equal(await store.head('raw/none.eml'), null);
    assert.equal(await store.delete('raw/none.eml'), 'deleted');
  });

  for (const bytes of [1_000, 400_000]) {
    check(`a range of an object of ${bytes} bytes is inclusive and cut at its end`, async (store) => {
      const body = randomBytes(bytes);
      await store.put({ key: 'raw/r.eml', body, contentType: octets });
      const ranges = [
        { first: 0, last: 0 },
        { first: 10, last: 99 },
        { first: bytes - 10, last: bytes + 1_000 },
      ];
      for (const range of ranges) {
        const read = await content(await store.get('raw/r.eml', range));
        assert.deepEqual(read, body.subarray(range.first, range.last + 1), JSON.stringify(range));
      }
    });
  }

  for (const bytes of [100, 300_000]) {
    check(`of sixty writes of ${bytes} bytes at once with ifAbsent exactly one is stored`, async (store) => {
      const outcomes = await Promise.all(
        Array.from({ length: bytes > 1_000 ? 12 : 60 }, async (_, n) => {
          const body = Buffer.alloc(bytes, n);
          return {
            n,
            ...(await store.put({ key: 'inbox/x.json', body, contentType: octets, condition: { ifAbsent: true } })),
          };
        }),
      );
      const winners = outcomes.filter(({ outcome }) => outcome === 'stored');
      assert.equal(winners.length, 1);
      assert.deepEqual(await content(await store.get('inbox/x.json')), Buffer.alloc(bytes, winners[0]?.n));
    });
  }

  check('ifMatch moves an object on only from the version that was read', async (store) => {
    const write = (text: string, ifMatch: string) =>
      store.put({ key: 'deliveries/d.json', body: Buffer.from(text), contentType: octets, condition: { ifMatch } });
    const first = await store.put({ key: 'deliveries/d.json', body: Buffer.from('1'), contentType: octets });
    assert.ok(first.outcome === 'stored');
    const second = await write('2', first.etag);
    assert.ok(second.outcome === 'stored');
    assert.notEqual(second.etag, first.etag);
    assert.deepEqual(await write('3', first.etag), { outcome: 'conflict' });
    assert.equal(String(await content(await store.get('deliveries/d.json'))), '2');
    const racers = await Promise.all(Array.from({ length: 20 }, (_, n) => write(`racer ${n}`, second.etag)));
    assert.equal(racers.filter(({ outcome }) => outcome === 'stored').length, 1);
  });

  check('ifMatch on what is not there is a conflict', async (store) => {
    const condition = { ifMatch: '"00000000000000000000000000000000"' };
    const put = await store.put({ key: 'deliveries/n.json', body: Buffer.from('x'), contentType: octets, condition });
    assert.equal(put.outcome, 'conflict');
    assert.equal(await store.head('deliveries/n.json'), null);
  });

  check('delete with another etag is a conflict and deletes nothing', async (store) => {
    const put = await store.put({ key: 'suppressions/s.json', body: Buffer.from('1'), contentType: octets });
    assert.ok(put.outcome === 'stored');
    const other = '"00000000000000000000000000000000"';
    assert.equal(await store.delete('suppressions/s.json', { ifMatch: other }), 'conflict');
    assert.ok((await store.head('suppressions/s.json')) !== null);
    assert.equal(await store.delete('suppressions/s.json', { ifMatch: put.etag }), 'deleted');
    assert.equal(await store.head('suppressions/s.json'), null);
  });

  check('overwriting replaces body, metadata and content type', async (store) => {
    const key = 'destinations/o.json';
    await store.put({ key, body: randomBytes(300_000), contentType: octets, metadata: { old: 'yes' } });
    await store.put({ key, body: Buffer.from('new'), contentType: 'application/json' });
    const object = await store.get(key);
    assert.equal(String(await content(object)), 'new');
    assert.deepEqual({ ...object?.metadata }, {});
    assert.equal(object?.contentType, 'application/json');
  });

  check('a listing is in order of the keys’ UTF-8 bytes and goes on page by page', async (store) => {
    const names = ['a', 'a/b', 'a-b', 'B', 'aa', 'é', '\u{1F600}', '\uFF5E', 'z', '%2E', 'a+b', 'a=b@c'];
    const keys = names.map((text) => `inbox/${text}`);
    for (const key of [...keys, 'inbo', 'inbox', 'inbox0', 'raw/x']) {
      await store.put({ key, body: Buffer.from(key), contentType: octets });
    }
    const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await store.list({ prefix: 'inbox/', limit: 5, ...(after === undefined ? {} : { after }) });
      assert.ok(page.objects.length <= 5);
      for (const object of page.objects) {
        assert.equal(object.bytes, Buffer.byteLength(object.key));
        assert.equal(object.etag, (await store.head(object.key))?.etag);
      }
      seen.push(...page.objects.map(({ key }) => key));
      after = page.next ?? undefined;
    } while (after !== undefined);
    assert.deepEqual(seen, sorted);
    const all = await store.list({ prefix: 'inbox/' });
    assert.deepEqual([all.objects.length, all.next], [keys.length, null]);
    assert.deepEqual(await store.list({ prefix: 'nothing/' }), { objects: [], next: null });
  });

  check('keys with every kind of character are kept apart', async (store) => {
    const keys = ['inbox/a b', 'inbox/a%20b', 'inbox/a+b', 'inbox/a?b', 'inbox/a#b', 'inbox/ä', 'inbox/%C3%A4'];
    for (const key of keys) await store.put({ key, body: Buffer.from(key), contentType: octets });
    for (const key of keys) assert.equal(String(await content(await store.get(key))), key);
  });
}

async function content(object: StoredObject | null): Promise<Buffer> {
  assert.ok(object !== null, 'the object is there');
  const pieces: Uint8Array[] = [];
  for await (const piece of object.body) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}
