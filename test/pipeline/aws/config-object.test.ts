// The configuration in the bucket, with whatever somebody uploads in its place.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
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
