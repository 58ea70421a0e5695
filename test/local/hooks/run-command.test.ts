// The command of a hook: what it gets, and how it is held to its bounds with all that it starts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createCommands } from '#local/hooks/run-command.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { eventually } from '#test/support/worlds/local-service.ts';

const directory = temporaryFolder();
const environment = { PATH: process.env['PATH'], HOME: '/home/ann', AWS_SECRET_ACCESS_KEY: 'secret' };
const { run } = createCommands({ directory, environment });
const command = (argv: readonly string[], timeoutMs = 10_000, input = '{}') =>
  run({ hook: 'tickets', argv, input: Buffer.from(input), timeoutMs });

test('it gets the event on its standard input, its arguments as they are written, and no secret of ours', async () => {
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

/** Gone, or a zombie that nobody has waited for. */
function hasEnded(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}
