// The configuration in the bucket, with whatever somebody uploads in its place.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { configObject, lastGoodConfig } from '#pipeline/aws/config-object.ts';
import { polledConfigSource } from '#pipeline/config/config-source.ts';
import { configHistoryKey, configKey, lastGoodConfigKey } from '#pipeline/contract/keys.ts';
import { emulatedAws } from '#test/support/aws/emulated-aws.ts';
import { collect } from '#test/support/fakes/memory-store.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';

let aws: Awaited<ReturnType<typeof emulatedAws>>;
before(async () => {
  aws = await emulatedAws();
});

const good = '{\n  // who we are\n  "hostname": "good.example"\n}\n';
const broken: readonly { title: string; body: Uint8Array | null; says: RegExp }[] = [
  { title: 'torn', body: Buffer.from(good.slice(0, -6)), says: /line 3, column 15: not JSON/ },
  { title: 'empty', body: Buffer.from(''), says: /the file is empty/ },
  { title: 'no JSON at all', body: Buffer.from('hostname: good.example\n'), says: /line 1, column 1: not JSON/ },
  { title: 'in UTF-16', body: Buffer.from(good, 'utf16le'), says: /not JSON/ },
  {
    title: 'of another version of Pillarbox',
    body: Buffer.from('{"quota":{}}'),
    says: /quota: there is no such setting/,
  },
  {
    title: 'larger than 4 MiB',
    body: Buffer.alloc(4_194_305, ' '),
    says: /4194305 bytes long; at most 4194304 are read/,
  },
  { title: 'deleted', body: null, says: /^s3:\/\/\S+\/config\/pillarbox\.json is not there$/ },
];

for (const { title, body, says } of broken) {
  test(`if the configuration is ${title}, who runs and who starts goes by the last good one; mended, it is in force`, async () => {
    const { store } = aws;
    const put = (text: Uint8Array) => store.put({ key: configKey, body: text, contentType: 'application/json' });
    const clock = setClock();
    const source = (keeps: boolean) =>
      polledConfigSource({
        ...configObject(aws),
        lastGood: lastGoodConfig(aws, { keeps }),
        refreshSeconds: 5,
        clock,
        log: silentLog(),
      });
    const listener = source(true);
    await put(Buffer.from(good));
    await listener.current();
    assert.equal(String(await collect((await store.get(lastGoodConfigKey))!.body)), good);
    const kept = (await store.head(configKey))!;
    assert.equal(String(await collect((await store.get(configHistoryKey(kept)))!.body)), good, 'whoever overwrites it');
    if (body === null) await store.delete(configKey);
    else await put(body);
    clock.advance(6_000);
    const started = [listener, source(true), source(false)];
    for (const one of started) {
      assert.equal((await one.current()).hostname, 'good.example');
      assert.match(one.problem() ?? '', says);
    }
    await put(Buffer.from('{"hostname":"mended.example"}'));
    clock.advance(6_000);
    for (const one of started) {
      assert.equal((await one.current()).hostname, 'mended.example');
      assert.equal(one.problem(), null);
    }
  });
}

const keptBy = (clock: () => number) =>
  polledConfigSource({
    ...configObject(aws),
    lastGood: lastGoodConfig(aws, { keeps: true }),
    refreshSeconds: 5,
    clock,
    log: silentLog(),
  });

test('a configuration whose copy was kept before gets into the history, too', async () => {
  const { store } = aws;
  const body = Buffer.from('{"hostname":"kept-before.example"}');
  for (const key of [configKey, lastGoodConfigKey]) await store.put({ key, body, contentType: 'application/json' });
  await keptBy(setClock()).current();
  const kept = await store.get(configHistoryKey((await store.head(configKey))!));
  assert.equal(String(await collect(kept!.body)), String(body));
});

for (const who of ['the listener that saw it', 'a listener that started since']) {
  test(`a configuration that was in force for two years is in the history for a year after ${who} sees the next one`, async () => {
    const { store } = aws;
    const put = (text: string) =>
      store.put({ key: configKey, body: Buffer.from(text), contentType: 'application/json' });
    const clock = setClock();
    const first = keptBy(clock);
    await put(good);
    await first.current();
    const historyKey = configHistoryKey((await store.head(configKey))!);
    // The lifecycle rule goes by the age of the object: here it has expired.
    await store.delete(historyKey);
    await put('{"hostname":"next.example"}');
    clock.advance(6_000);
    await (who === 'the listener that saw it' ? first : keptBy(clock)).current();
    assert.equal(String(await collect((await store.get(historyKey))!.body)), good);
  });
}

test('a replaced configuration that could not be written to the history is written later, although the copy is the next one', async () => {
  const { store, s3, bucket } = aws;
  let denies: string | null = null;
  const denying = Object.assign(Object.create(s3) as typeof s3, {
    send: async (command: PutObjectCommand) => {
      if (command instanceof PutObjectCommand && command.input.Key === denies) throw new Error('AccessDenied');
      return await s3.send(command);
    },
  });
  const { keep } = lastGoodConfig({ s3: denying, bucket }, { keeps: true });
  const [one, two] = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'].map((modifiedAt) => ({
    version: 'etag',
    modifiedAt,
  }));
  const keyOfOne = configHistoryKey({ etag: 'etag', modifiedAt: one!.modifiedAt });
  await keep!('one', one!);
  await store.delete(keyOfOne);
  denies = keyOfOne;
  await assert.rejects(keep!('two', two!), /AccessDenied/);
  assert.equal(String(await collect((await store.get(lastGoodConfigKey))!.body)), 'two');
  denies = null;
  await keep!('two', two!);
  assert.equal(String(await collect((await store.get(keyOfOne))!.body)), 'one');
  await store.delete(keyOfOne);
  await keep!('two', two!);
  assert.equal(await store.head(keyOfOne), null, 'once is enough');
});
