// How errors in the configuration are told, and what a broken edit does (nothing).
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Config } from '#pipeline/config/config.ts';
import { type Fetched, fileConfigSource, polledConfigSource } from '#pipeline/config/config-source.ts';
import { parseConfig } from '#pipeline/config/parse-config.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';

for (const { title, text, says } of [
  { title: 'an empty file', text: '', says: /p\.json cannot be used:\n {2}the file is empty/ },
  { title: 'a missing colon', text: '{\n  "a" 1}', says: /line 2, column 7: not JSON/ },
  {
    title: 'a comment of a shell',
    text: '{\n # no\n}',
    says: /line 2, column 2: not JSON: a comment begins with \/\//,
  },
  {
    title: 'a comment without an end',
    text: '{\n /* no\n}',
    says: /line 2, column 2: not JSON: unexpected end of comment/,
  },
  {
    title: 'a brace that is missing',
    text: '{\n  "mode": "capture"',
    says: /line 2, column 20: not JSON: close brace expected/,
  },
  { title: 'a second value behind the first', text: '{}\n{}', says: /line 2, column 1: not JSON/ },
  {
    title: 'an unknown setting',
    text: '{"limits":{"recipient":1}}',
    says: /limits\.recipient: there is no such setting/,
  },
  {
    title: 'a wrong number',
    text: '{"limits":{"recipients":-1}}',
    says: /limits\.recipients: .*expected number to be >0/,
  },
  { title: 'a wrong type', text: '{"hostname":5}', says: /hostname: expected string, received number/ },
  {
    title: 'a wrong word in a list',
    text: '{"listeners":[{"role":"pop","port":1}]}',
    says: /listeners\[0\]\.role: .*"mx"/,
  },
  { title: 'a bad domain', text: '{"domains":{"a b":{}}}', says: /domains\["a b"\]: not a domain name/ },
  {
    title: 'a password in clear',
    text: '{"delivery":{"smarthost":{"host":"relay.example","tls":"none","user":"app","password":"env:P"}}}',
    says: /delivery\.smarthost\.tls: a password is never sent in clear/,
  },
  {
    title: 'a catch-all nobody has',
    text: '{"domains":{"x.example":{"catchAll":"y"}}}',
    says: /catchAll: "y" is not among/,
  },
  {
    title: 'an alias too long for one job',
    text: JSON.stringify({
      domains: { 'x.example': { aliases: { all: Array.from({ length: 1_001 }, (_, n) => `${n}@y.example`) } } },
    }),
    says: /domains\["x\.example"\]\.aliases\.all: .*<=1000/,
  },
  {
    title: 'a password in clear',
    text: '{"users":[{"name":"a","password":"pw","mayFrom":["a@b"]}]}',
    says: /user add/,
  },
  {
    title: 'a key that stands twice in one object, which a reader and an edit would understand differently',
    text: '{\n  "users": [],\n  "domains": { "x.example": {} },\n  "users": [{}]\n}',
    says: /p\.json cannot be used:\n {2}line 4: users stands here a second time \(first on line 2\)$/,
  },
  {
    title: 'a key that stands twice further in, once in other letters of JSON',
    text: '{"listeners":[{"port":1,"role":"mx","p\\u006frt":2}]}',
    says: /line 1: listeners\[0\]\.port stands here a second time/,
  },
  { title: 'a list at the top', text: '[]', says: /\(the whole file\): expected object, received array/ },
]) {
  test(`${title} is named with its place and what was expected`, () => {
    assert.throws(() => parseConfig(text, 'p.json'), says);
  });
}

test('comments and trailing commas are allowed, and a mark of the byte order', () => {
  const text = '\uFEFF// ours\n{ "hostname": "mx.x.example", /* all */ "domains": { "x.example": {}, }, }\n';
  assert.equal(parseConfig(text, 'p.json').hostname, 'mx.x.example');
});

test('the same key in two objects is no repetition', () => {
  const listeners = '[{"role":"mx","port":1},{"role":"mx","port":2}]';
  assert.equal(parseConfig(`{"listeners":${listeners},"dns":{}}`, 'p').listeners[1]?.port, 2);
});

test('two faults are told at once', () => {
  assert.throws(
    () => parseConfig('{"x":1,"limits":{"hops":"a"}}', 'p'),
    ({ faults }) => faults.length === 2,
  );
});

test('an empty object is a whole configuration, also behind a byte order mark', () => {
  assert.equal(parseConfig('\uFEFF{}', 'p.json').limits.recipients, 100);
});

test('a file is read again when it changes; a broken edit keeps the last good one and is reported', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pillarbox-config-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'p.json');
  const [clock, log] = [setClock(), silentLog()];
  const source = fileConfigSource({ path, clock, log });
  await assert.rejects(source.current(), /ENOENT/);
  await writeFile(path, '{"hostname":"one.example"}');
  assert.equal((await source.current()).hostname, 'one.example');
  await writeFile(path, '{"hostname":"two.example","nonsense":1}');
  assert.equal((await source.current()).hostname, 'one.example');
  clock.advance(1_000);
  assert.equal((await source.current()).hostname, 'one.example');
  assert.match(source.problem() ?? '', /nonsense: there is no such setting/);
  assert.equal(log.of('config-not-usable').length, 1);
  clock.advance(1_000);
  await source.current();
  assert.equal(log.of('config-not-usable').length, 1, 'told once an edit');
  assert.match(source.problem() ?? '', /nonsense/);
  await writeFile(path, '{"hostname":"three.example"}');
  clock.advance(1_000);
  assert.equal((await source.current()).hostname, 'three.example');
  assert.equal(source.problem(), null);
});

test('many who ask at once cause one fetch; none is caused while the answer is fresh', async () => {
  const clock = setClock();
  const asked: (string | null)[] = [];
  const fetch = async (known: string | null): Promise<Fetched> => {
    asked.push(known);
    return known === null ? { changed: true, version: 'v1', text: '{}' } : { changed: false };
  };
  const source = polledConfigSource({ where: 's3://b/k', fetch, refreshSeconds: 30, clock, log: silentLog() });
  await Promise.all([source.current(), source.current(), source.current()]);
  clock.advance(29_999);
  await source.current();
  assert.deepEqual(asked, [null]);
  clock.advance(1);
  await source.current();
  assert.deepEqual(asked, [null, 'v1']);
});

test('while the store cannot be asked the last good configuration is in force', async () => {
  const clock = setClock();
  let isDown = false;
  const fetch = async (): Promise<Fetched> => {
    if (isDown) throw new Error('S3 is down');
    return { changed: true, version: 'v', text: '{"hostname":"a.example"}' };
  };
  const source = polledConfigSource({ where: 'x', fetch, refreshSeconds: 30, clock, log: silentLog() });
  await source.current();
  isDown = true;
  clock.advance(31_000);
  assert.equal((await source.current()).hostname, 'a.example');
  assert.equal(source.problem(), 'S3 is down');
});

test('a problem that has passed is not told any more', async () => {
  const clock = setClock();
  let isDown = false;
  const fetch = async (known: string | null): Promise<Fetched> => {
    if (isDown) throw new Error('S3 is down');
    return known === null ? { changed: true, version: 'v', text: '{}' } : { changed: false };
  };
  const source = polledConfigSource({ where: 'x', fetch, refreshSeconds: 30, clock, log: silentLog() });
  await source.current();
  isDown = true;
  clock.advance(31_000);
  await source.current();
  assert.equal(source.problem(), 'S3 is down');
  isDown = false;
  clock.advance(31_000);
  await source.current();
  assert.equal(source.problem(), null);
});

test('each text is reviewed once, since that takes long for a large one; what it said is told until there is another', async () => {
  const clock = setClock();
  const reviewed: string[] = [];
  let [version, isDown] = ['one', false];
  const fetch = async (known: string | null): Promise<Fetched> => {
    if (isDown) throw new Error('S3 is down');
    return known === version
      ? { changed: false }
      : { changed: true, version, text: `{"hostname":"${version}.example"}` };
  };
  const review = (text: string, { hostname }: Config): string | null => {
    reviewed.push(text);
    return hostname === 'one.example' ? 'another name than was deployed' : null;
  };
  const log = silentLog();
  const source = polledConfigSource({ where: 'x', fetch, refreshSeconds: 5, clock, log, review });
  const told: (string | null)[] = [];
  for (const [next, down] of [
    ['one', false],
    ['one', false],
    ['one', true],
    ['one', false],
    ['two', false],
  ] as const) {
    [version, isDown] = [next, down];
    await source.current();
    told.push(source.problem());
    clock.advance(6_000);
  }
  const remark = 'another name than was deployed';
  assert.deepEqual(told, [remark, remark, 'S3 is down', remark, null]);
  assert.equal(reviewed.length, 2);
});

const goodCopy = { read: async () => '{"hostname":"good.example"}' };

for (const { title, fetch, says } of [
  {
    title: 'is broken',
    fetch: async (): Promise<Fetched> => ({ changed: true, version: 'v', text: '{"hostname":"bad.example","x":1}' }),
    says: /\bx: there is no such setting/,
  },
  {
    title: 'is not there',
    fetch: async (): Promise<Fetched> => {
      throw new Error('NoSuchKey');
    },
    says: /NoSuchKey/,
  },
]) {
  test(`a process that starts while the newest configuration ${title} takes the copy of the last good one, and says so`, async () => {
    const [clock, log] = [setClock(), silentLog()];
    const source = polledConfigSource({ where: 'x', fetch, lastGood: goodCopy, refreshSeconds: 30, clock, log });
    assert.equal((await source.current()).hostname, 'good.example');
    assert.match(source.problem() ?? '', says);
    assert.equal(log.of('config-not-usable').length, 1);
  });
}

test('without a copy, or with a broken one, a process that starts says what is wrong with the newest', async () => {
  const fetch = async (): Promise<Fetched> => ({ changed: true, version: 'v', text: '{"x":1}' });
  for (const read of [async () => '{', async () => Promise.reject(new Error('NoSuchKey'))]) {
    const tools = { refreshSeconds: 30, clock: setClock(), log: silentLog() };
    const source = polledConfigSource({ where: 'the file', fetch, lastGood: { read }, ...tools });
    await assert.rejects(source.current(), /the file cannot be used:\n {2}x: there is no such setting/);
  }
});

test('what is good is kept as the copy; what is broken is not, and mended it is in force', async () => {
  const clock = setClock();
  const edits = ['{"hostname":"one.example"}', '{"hostname":"two.example","x":1}', '{"hostname":"three.example"}'];
  const kept: string[] = [];
  let edit = 0;
  const fetch = async (): Promise<Fetched> => ({ changed: true, version: `v${edit}`, text: edits[edit] ?? '' });
  const keep = async (text: string): Promise<void> => {
    kept.push(text);
    throw new Error('S3 does not take it'); // the configuration is in force all the same
  };
  const lastGood = { ...goodCopy, keep };
  const source = polledConfigSource({ where: 'x', fetch, lastGood, refreshSeconds: 30, clock, log: silentLog() });
  const hostnames: string[] = [];
  for (edit = 0; edit < edits.length; edit += 1) {
    hostnames.push((await source.current()).hostname);
    clock.advance(31_000);
  }
  assert.deepEqual(hostnames, ['one.example', 'one.example', 'three.example']);
  assert.deepEqual(kept, [edits[0], edits[2]]);
});

test('a version that cannot be kept is tried ever more seldom, an hour apart at last; the log says when it begins and when it ends', async () => {
  const [clock, log] = [setClock(), silentLog()];
  const begun = clock();
  const triedAt: number[] = [];
  let version = 'v1';
  let denied = true;
  const fetch = async (): Promise<Fetched> => ({ changed: true, version, text: '{"hostname":"one.example"}' });
  const keep = async (): Promise<void> => {
    triedAt.push((clock() - begun) / 1_000);
    if (denied) throw new Error('AccessDenied');
  };
  const source = polledConfigSource({
    where: 'x',
    fetch,
    lastGood: { ...goodCopy, keep },
    refreshSeconds: 5,
    clock,
    log,
  });
  const pollFor = async (seconds: number): Promise<void> => {
    for (let at = 0; at < seconds; at += 5) {
      await source.current();
      clock.advance(5_000);
    }
  };
  await pollFor(14_400);
  assert.deepEqual(triedAt, [0, 5, 15, 35, 75, 155, 315, 635, 1_275, 2_555, 5_115, 8_715, 12_315]);
  version = 'v2';
  await pollFor(5);
  assert.equal(triedAt.at(-1), 14_400, 'a newer one is tried at once');
  assert.equal(log.of('config-not-kept').length, 1);
  denied = false;
  await pollFor(7_200);
  assert.equal(triedAt.length, 15, 'what is kept is not written again');
  assert.deepEqual([log.of('config-not-kept').length, log.of('config-kept-again').length], [1, 1]);
});
