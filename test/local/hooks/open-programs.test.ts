// The programs of hooks: what a command and a module get, and how they are held to their bounds with all that they start.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openPrograms } from '#local/hooks/open-programs.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { eventually } from '#test/support/worlds/local-service.ts';

const directory = temporaryFolder();
const environment = { PATH: process.env['PATH'], HOME: '/home/ann', AWS_SECRET_ACCESS_KEY: 'secret' };
const store = createMemoryStore();
const programs = openPrograms({ directory, environment, store });
after(() => programs.close());
const command = (argv: readonly string[], timeoutMs = 10_000, input = '{}') =>
  programs.runCommand({ hook: 'tickets', argv, input: Buffer.from(input), timeoutMs, variables: {} });

let count = 0;
/** Calls a module of this text with the event `{"n":1}`. */
function called(text: string, { timeoutMs = 20_000, extension = 'mjs' } = {}) {
  const module = `handler-${++count}.${extension}`;
  writeFileSync(join(directory, module), text);
  const variables = { TABLE: 'tickets', AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE' };
  return programs.callModule({ hook: 'tickets', module, input: Buffer.from('{"n":1}'), timeoutMs, variables });
}

test('a command gets the event on its standard input, its arguments as they are written, and no secret of ours', async () => {
  const answer = await command(
    ['sh', '-c', 'cat; pwd; printf "%s|" "$@"; env', 'sh', '$(touch x) ; "y"'],
    10_000,
    '{"a":1}',
  );
  assert.ok(answer.kind === 'ended' && answer.code === 0);
  assert.ok(answer.output.startsWith(`{"a":1}${directory}\n$(touch x) ; "y"|`), answer.output);
  assert.match(answer.output, /^PILLARBOX_HOOK=tickets$/m);
  assert.match(answer.output, /HOME=\/home\/ann/);
  assert.doesNotMatch(answer.output, /AWS_SECRET/);
});

test('a code other than 0 is told with the beginning of the output, and one that reads nothing is fine', async () => {
  const failed = await command(['sh', '-c', 'echo no database >&2; exit 3']);
  assert.deepEqual(failed, { kind: 'ended', code: 3, signal: null, output: 'no database\n' });
  const deaf = await command(['true'], 10_000, 'x'.repeat(1_000_000));
  assert.equal(deaf.kind === 'ended' && deaf.code, 0);
});

test('of endless output 4 KiB are kept', async () => {
  const flood = await command(['sh', '-c', 'head -c 3000000 /dev/zero | tr "\\0" a; exit 1']);
  assert.equal(flood.kind === 'ended' && flood.output.length, 4_096);
});

test('a command that is over its time is killed with its children', async () => {
  const late = await command(['sh', '-c', 'sleep 300 & echo $! > child; wait'], 500);
  assert.deepEqual(late, { kind: 'failed', reason: 'it was not done within 0.5 s, and was killed' });
  const child = Number(readFileSync(join(directory, 'child'), 'utf8'));
  await eventually('its child is gone', () => hasEnded(child));
});

test('a program that is not there is told as such', async () => {
  const answer = await command(['no-such-program']);
  assert.ok(answer.kind === 'failed');
  assert.match(answer.reason, /^it cannot be run: .*ENOENT/);
});

const answering: readonly (readonly [string, string, string])[] = [
  ['an ES module', 'mjs', 'export const handler = async (event) => ({ got: event.n });'],
  ['a CommonJS module', 'cjs', 'exports.handler = (event) => ({ got: event.n });'],
  ['TypeScript', 'ts', 'export async function handler(event: { n: number }) { return { got: event.n }; }'],
];
for (const [title, extension, text] of answering) {
  test(`the handler of ${title} is called with the event, and its answer comes back`, async () => {
    assert.deepEqual(await called(text, { extension }), { kind: 'answered', answer: { got: 1 }, output: '' });
  });
}

test('a handler that returns nothing is done', async () => {
  const answer = await called('export async function handler() {}');
  assert.deepEqual(answer, { kind: 'answered', answer: undefined, output: '' });
});

test('a handler has a context as Lambda’s, a region, the variables of its hook, and no secret of ours', async () => {
  const answer = await called(`export function handler(_, context) {
    console.log('seen');
    const { functionName, awsRequestId, memoryLimitInMB } = context;
    const { AWS_REGION, TZ, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, PILLARBOX_HOOK, TABLE } = process.env;
    const left = context.getRemainingTimeInMillis();
    return { functionName, awsRequestId: typeof awsRequestId, memoryLimitInMB, isInTime: left > 0 && left <= 20_000,
      AWS_REGION, TZ, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, PILLARBOX_HOOK, TABLE };
  }`);
  assert.deepEqual(answer, {
    kind: 'answered',
    output: 'seen\n',
    answer: {
      functionName: 'tickets',
      awsRequestId: 'string',
      memoryLimitInMB: '512',
      isInTime: true,
      AWS_REGION: 'us-east-1',
      TZ: 'UTC',
      AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'local',
      PILLARBOX_HOOK: 'tickets',
      TABLE: 'tickets',
    },
  });
});

test('a handler that throws is told with its error and where that was', async () => {
  const answer = await called(`export function handler() { throw new TypeError('no database'); }`);
  assert.ok(answer.kind === 'threw');
  assert.match(answer.error, /^TypeError: no database\n +at .*handler-\d+\.mjs:1:\d+\)$/);
});

const unfinished: readonly (readonly [string, string, RegExp])[] = [
  ['ends the process', 'export function handler() { process.exit(0); }', /"code":0/],
  ['waits for nothing', 'export const handler = () => new Promise(() => {});', /"code":13/],
  [
    'rejects elsewhere',
    "export const handler = () => (Promise.reject(new Error('lost')), new Promise(() => {}));",
    /lost/,
  ],
  ['has no handler', 'export const another = 1;', /exports no function handler/],
  ['does not parse', 'export const handler = (', /SyntaxError/],
  ['answers what is no JSON', 'export const handler = () => { const a = {}; a.a = a; return a; };', /circular/],
  ['answers 7 MB', "export const handler = () => 'x'.repeat(7e6);", /over 6 MB/],
];
for (const [title, text, says] of unfinished) {
  test(`a module that ${title} fails its own call alone`, async () => {
    const answer = await called(text);
    assert.notEqual(answer.kind, 'answered');
    assert.match(JSON.stringify(answer), says);
  });
}

test('a handler that loops for ever is killed when its time is over', async () => {
  const answer = await called('export function handler() { for (;;); }', { timeoutMs: 1_000 });
  assert.deepEqual(answer, { kind: 'failed', reason: 'it was not done within 1 s, and was killed' });
});

test('a handler that takes memory without end is killed at 512 MiB, though it never waits', async () => {
  const answer = await called('export function handler() { for (const all = []; ; all.push(Buffer.alloc(1e6, 1))); }');
  assert.deepEqual(answer, { kind: 'failed', reason: 'its process took more than 512 MiB of memory, and was killed' });
});

test('a handler reads the mail of this machine by the SDK’s own client, and nothing else', async () => {
  await store.put({ key: 'inbox/a.example/o%27neil/1.json', body: Buffer.from('the mail'), contentType: 'text/plain' });
  await store.put({ key: 'config/pillarbox.json', body: Buffer.from('{}'), contentType: 'text/plain' });
  const sdk = import.meta.resolve('@aws-sdk/client-s3');
  const answer = await called(`import { S3 } from '${sdk}';
    const s3 = new S3({});
    const read = async (Bucket, Key) => {
      try {
        return await (await s3.getObject({ Bucket, Key })).Body.transformToString();
      } catch (error) {
        return error.name;
      }
    };
    const put = () => s3.putObject({ Bucket: 'pillarbox-mail', Key: 'inbox/a/b/1.json', Body: 'x' }).catch(({ name }) => name);
    export const handler = async () => [
      await read('pillarbox-mail', 'inbox/a.example/o%27neil/1.json'),
      await read('pillarbox-mail', 'inbox/a.example/ann/2.json'),
      await read('pillarbox-mail', 'config/pillarbox.json'),
      await read('another', 'inbox/a.example/ann/1.json'),
      await put(),
    ];`);
  assert.deepEqual(answer.kind === 'answered' && answer.answer, [
    'the mail',
    'NoSuchKey',
    'AccessDenied',
    'NoSuchBucket',
    'AccessDenied',
  ]);
});

/** Gone, or a zombie that nobody has waited for. */
function hasEnded(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}
