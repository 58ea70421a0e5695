import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConfigStore, type StoredConfig } from '#ops/aws/config-store.ts';
import { storedHashes, storedReference } from '#pipeline/config/stored-hashes.ts';
import { configHistoryKey, configKey, historyKeyOf, lastGoodConfigKey } from '#pipeline/contract/keys.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';

const place = { bucket: 'mail-bucket', stack: 'mail' };

function made() {
  const clock = setClock();
  const memory = createMemoryStore(clock);
  const configs = createConfigStore(memory, place);
  const read = async (version?: string): Promise<StoredConfig> => (await configs.read(version)) as StoredConfig;
  return { clock, memory, configs, read };
}

test('the first configuration is written where there is none; a second first one is a conflict', async () => {
  const { configs, read } = made();
  assert.equal(await configs.read(), null);
  assert.equal((await configs.replace('{"a":1}', null)).outcome, 'stored');
  assert.equal((await configs.replace('{"b":1}', null)).outcome, 'conflict');
  assert.equal((await read()).text, '{"a":1}');
});

test('an edit of a version that somebody else has replaced is a conflict, and theirs stays', async () => {
  const { configs, read } = made();
  await configs.replace('{"base":1}', null);
  const base = await read();
  await configs.replace('{"theirs":1}', base);
  assert.equal((await configs.replace('{"ours":1}', base)).outcome, 'conflict');
  assert.equal((await read()).text, '{"theirs":1}');
});

test('what was replaced is in the history, the newest first, and is read by its version', async () => {
  const { clock, configs, memory, read } = made();
  const texts = ['{"n":1}', '{"n":2}', '{"n":3}'];
  await configs.replace(texts[0]!, null);
  for (const text of texts.slice(1)) {
    clock.advance(60_000);
    await configs.replace(text, await read());
  }
  memory.seed(lastGoodConfigKey, texts[1]!);
  const now = (await memory.head(configKey))!;
  memory.seed(configHistoryKey(now), texts[2]!);
  const [current, good, second, first] = await configs.versions();
  assert.deepEqual([current?.version, good?.version], ['current', 'last-good']);
  assert.match(second?.version ?? '', /^\d{8}T\d{6}Z-\w+$/);
  assert.ok((second?.version ?? '') > (first?.version ?? ''));
  assert.equal((await read(first?.version)).text, texts[0]);
  assert.equal((await read(second?.version)).text, texts[1]);
  assert.equal((await read('last-good')).text, texts[1]);
  assert.equal(await configs.read('20200101T000000Z-00000000'), null);
  assert.equal(memory.text(configKey), texts[2]);
});

test('of more versions than one list has, the newest are there and come first', async () => {
  const { configs, memory } = made();
  const versions = Array.from({ length: 1_001 }, (_, n) => `2026${String(n).padStart(4, '0')}T000000Z-00000000`);
  for (const version of versions) memory.seed(historyKeyOf(version), '{}');
  assert.deepEqual(
    (await configs.versions()).map(({ version }) => version),
    versions.toReversed(),
  );
});

test('what is replaced is written to the history also where it is: its age counts from then', async () => {
  const { clock, configs, memory, read } = made();
  await configs.replace('{"n":1}', null);
  const before = await read();
  memory.seed(configHistoryKey(before), before.text);
  clock.advance(2 * 365 * 86_400_000);
  await configs.replace('{"n":2}', before);
  assert.equal((await memory.head(configHistoryKey(before)))?.modifiedAt, new Date(clock()).toISOString());
});

test('hashes of passwords go where the listener alone reads them, before the text that names them; comments stay', async () => {
  const { configs, memory, read } = made();
  const text = `{ // mine\n  "users": [ { "name": "app", "password": "${openSesameHash}", "mayFrom": ["*@a.example"] }, ], }`;
  memory.seed(configKey, '{}');
  await configs.replace(text, await read());
  const stored = (await read()).text;
  const reference = storedReference(openSesameHash);
  assert.equal(stored, text.replace(openSesameHash, reference));
  assert.equal(await storedHashes(memory)(reference.slice('stored:'.length)), openSesameHash);
  await configs.replace(stored, await read());
  assert.equal((await read()).text, stored, 'once is enough');
  await assert.rejects(storedHashes(memory)('0'.repeat(64)), /there is no config\/hashes\/0/);
  await assert.rejects(storedHashes(memory)('../pillarbox.json'), /not an id/);
});

test('a hash that could not be stored leaves the configuration as it was', async () => {
  const { memory, configs, read } = made();
  memory.seed(configKey, '{}');
  const failing = { ...memory, put: async () => Promise.reject(new Error('S3 is away')) };
  const text = `{"users":[{"name":"app","password":"${openSesameHash}","mayFrom":["*@a.example"]}]}`;
  await assert.rejects(createConfigStore(failing, place).replace(text, await read()), /S3 is away/);
  assert.equal((await configs.read())?.text, '{}');
});
