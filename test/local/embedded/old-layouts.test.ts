// A data folder of an older layout: it is brought up to date when it is opened, and its mail is indexed anew after that.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { messageIdFactory, receivedAtOf } from '#mail/header/message-id.ts';
import { messageKey } from '#pipeline/contract/keys.ts';
import { sampleMessage } from '#test/support/samples/sample-message.ts';
import { openTestWorld, temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { takeBack } from './old-layouts.ts';

const watcher = fileURLToPath(new URL('./index-watcher.ts', import.meta.url));
/** More than one step of the index. */
const old = 150;
/** What each search finds of the old mail, and of one that is new. */
const searches: readonly (readonly [q: string, ofOld: number, ofNew: number])[] = [
  ['', old, 1],
  ['subject:order', old, 0],
  ['"order 17 of"', 1, 0],
  ['subject:fresh', 0, 1],
  ['-nowhere', old, 1],
  ['-order', 0, 1],
  ['header:subject=hello', old, 1],
  ['of', old, 0],
  ['nowhere', 0, 0],
];

for (const layout of [6, 4] as const) {
  test(`a folder of layout ${layout} is searched while it is indexed anew, and a kill -9 meanwhile changes nothing`, async (t) => {
    const folder = await fill(t);
    takeBack(join(folder, 'pillarbox.sqlite'), layout);
    const killed = await watch(folder, 'fresh 1', 'killed');
    assert.equal(killed.signal, 'SIGKILL');
    assert.equal(killed.looks[0]?.left, old + 1);
    for (const { left, found } of killed.looks) assert.deepEqual(found, wanted(1), `${left} to index`);
    const { looks, signal } = await watch(folder, 'fresh 2', 'done');
    assert.equal(signal, null);
    const [first, last] = [looks[0], looks.at(-1)];
    assert.ok(first !== undefined && first.left < old && first.left > 0, `what was indexed stays so: ${first?.left}`);
    assert.equal(last?.left, 0);
    for (const { left, found } of looks) assert.deepEqual(found, wanted(2), `${left} to index`);
    const database = new DatabaseSync(join(folder, 'pillarbox.sqlite'));
    database.exec("INSERT INTO mail_text (mail_text) VALUES ('integrity-check')");
    const { n } = database.prepare('SELECT count(*) AS n FROM mail_text_docsize').get() ?? {};
    database.close();
    assert.equal(n, old + 2, 'each message is in the index');
  });
}

function wanted(fresh: number): readonly number[] {
  return searches.map(([, ofOld, ofNew]) => ofOld + fresh * ofNew);
}

async function fill(t: TestContext): Promise<string> {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const world = await openTestWorld({ folder });
  const nextId = messageIdFactory();
  const start = Date.now() - old * 1_000;
  await Promise.all(
    Array.from({ length: old }, (_, n) => {
      const id = nextId(start + n * 1_000);
      const receivedAt = receivedAtOf(id);
      const message = sampleMessage({ id, receivedAt, subject: `order ${n} of` });
      const key = messageKey('inbox', { ...message.mailbox, id, receivedAt });
      return world.store.put({ key, body: Buffer.from(JSON.stringify(message)), contentType: 'application/json' });
    }),
  );
  await world.shut();
  return folder;
}

type Look = { readonly left: number; readonly found: readonly number[] };

async function watch(
  folder: string,
  subject: string,
  end: 'killed' | 'done',
): Promise<{ readonly looks: readonly Look[]; readonly signal: string | null }> {
  const args = [watcher, folder, subject, end, ...searches.map(([q]) => q)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  const [, signal] = await once(child, 'close');
  const looks = text
    .split('\n')
    .slice(0, -1)
    .map((line): Look => JSON.parse(line));
  return { looks, signal };
}
