// The exit codes of the table: each is what a script may rely on.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { runInProcess, runPillarbox } from '#test/support/worlds/run-pillarbox.ts';

test('a process ends with the code: 0 done, 1 it did not work, 2 the command line was wrong', async () => {
  const ran = await Promise.all([
    runPillarbox(['--version', '--json']),
    runPillarbox(['list', '--url', 'http://127.0.0.1:9', '--json']),
    runPillarbox(['list', '--lmit', '3']),
  ]);
  assert.deepEqual(
    ran.map(({ code }) => code),
    [0, 1, 2],
  );
  assert.match(JSON.parse(ran[0]!.out).version, /^\d/);
  assert.equal(JSON.parse(ran[1]!.err).error.code, 'no-server');
});

test('what is sent but for a recipient that is refused has exit code 3, and names who is left out', async (t) => {
  const server = createServer((socket) => {
    let isData = false;
    socket.write('220 mx.example\r\n');
    socket.on('data', (chunk) => {
      for (const line of chunk.toString().split('\r\n').slice(0, -1)) {
        if (isData && line !== '.') continue;
        if (/^DATA/i.test(line)) isData = true;
        else if (line === '.') isData = false;
        const reply = line.includes('RCPT TO:<no@') ? '550 5.1.1 No such mailbox' : isData ? '354 go on' : '250 ok';
        socket.write(/^QUIT/i.test(line) ? '221 bye\r\n' : `${reply}\r\n`);
      }
    });
  });
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const to = ['yes', 'no'].flatMap((name) => ['--to', `${name}@b.example`]);
  const args = ['send', '--from', 'ann@a.example', '--server', `127.0.0.1:${port}`];
  const { code, out } = await runInProcess([...args, ...to, '--json']);
  assert.deepEqual([code, JSON.parse(out).rejected], [3, ['no@b.example']]);
  const none = await runInProcess([...args, '--to', 'no@b.example']);
  assert.deepEqual([none.code, none.out], [1, '']);
});

test('a backup without a body that was lost before has exit code 3', async () => {
  const report = { takenAt: '2026-11-27T03:00:00.000Z', files: 1, bodies: 1, bytes: 1, config: false, notIncluded: [] };
  const backup = (leftOut: { key: string; why: string }[]) =>
    runInProcess(['backup', 'saved', '--json'], {
      dataBackup: { backup: async () => ({ ...report, leftOut }), restore: () => assert.fail('no restore') },
    });
  assert.equal((await backup([])).code, 0);
  assert.equal((await backup([{ key: 'raw/1.eml', why: 'it is not there' }])).code, 3);
});
