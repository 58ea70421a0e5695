// `npm start`, however it ends, takes the server with it, in order: a signal to npm, to all of a terminal's programs, or npm
// killed without a word.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { peerOptions } from '#test/support/peers/peers.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { eventually } from '#test/support/worlds/local-service.ts';

const home = fileURLToPath(new URL('../..', import.meta.url));

describe('npm start', { concurrency: 3, ...peerOptions('npm') }, () => {
  for (const { title, signal, isGroup } of [
    { title: 'kill PID', signal: 'SIGTERM', isGroup: false },
    { title: 'kill -9 PID', signal: 'SIGKILL', isGroup: false },
    { title: 'Ctrl-C or timeout(1)', signal: 'SIGINT', isGroup: true },
    { title: 'the terminal closing', signal: 'SIGHUP', isGroup: true },
  ] as const) {
    test(`ended by ${title}, takes the server with it, in order`, async (t) => {
      const { npm, folder, server } = await started(t, ['npm']);
      process.kill(isGroup ? -npm : npm, signal);
      await eventually('the server has ended', () => !isRunning(server));
      assert.ok(readFileSync(join(folder, 'log'), 'utf8').includes('"stopping"'));
      assert.equal(existsSync(join(folder, 'data', 'running.json')), false, 'it came to its end');
    });
  }

  test('goes on in the background when the shell that started it ends', async (t) => {
    const { server } = await started(t, [
      'sh',
      '-c',
      '"$@" & while ! [ -e data/running.json ]; do sleep 0.1; done',
      '-',
      'npm',
    ]);
    const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${server}/status`, 'utf8'))?.[1];
    const startedBy = /(?:^|\0)PILLARBOX_STARTED_BY=(\d+)\0/.exec(readFileSync(`/proc/${server}/environ`, 'utf8'))?.[1];
    assert.equal(parent, startedBy, 'the npm that it looks after is its parent still');
    assert.ok(isRunning(server));
  });
});

/** Starts it in a process group of its own; the server's process id is known as soon as it is up. */
async function started(t: TestContext, [program = '', ...before]: readonly string[]) {
  const folder = temporaryFolder();
  const config = join(folder, 'pillarbox.json');
  const log = join(folder, 'log');
  writeFileSync(config, JSON.stringify({ mode: 'capture', listeners: [{ role: 'mx', port: 0 }] }));
  const options = ['--data', join(folder, 'data'), '--http', '0', '--config', config];
  const npm = ['--prefix', home, 'start', '--', ...options];
  const child = spawn('sh', ['-c', `exec "$@" > '${log}' 2>&1`, '-', program, ...before, ...npm], {
    cwd: folder,
    detached: true,
    stdio: 'ignore',
  });
  const exited = once(child, 'exit');
  const group = child.pid ?? 0;
  let server = 0;
  t.after(async () => {
    for (const pid of [-group, server]) if (pid !== 0 && isRunning(pid)) process.kill(pid, 'SIGKILL');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  });
  const path = join(folder, 'data', 'running.json');
  server = await eventually('it is up', () => {
    const found = existsSync(path) ? /"pid": (\d+)/.exec(readFileSync(path, 'utf8')) : null;
    return found === null ? 0 : Number(found[1]);
  });
  if (program === 'sh') await exited;
  return { npm: group, folder, server };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
