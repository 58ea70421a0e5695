// How `npm start` begins and ends: what it says, what it refuses and why, that it does nothing it was not told to.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { eventually, spawnService, startLocalService } from '#test/support/worlds/local-service.ts';
import { runInProcess } from '#test/support/worlds/run-pillarbox.ts';

test('what cannot be started is refused with one clear line and exit code 1, a wrong command line with 2', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.after(() => taken.close());
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const folder = folderOf(t);
  const takenHere = new RegExp(
    `port ${port} on 127\\.0\\.0\\.1 is taken by node \\(process ${process.pid}, started in ${process.cwd()}\\)\n.*--smtp 0$`,
    'm',
  );
  writeFileSync(join(folder, 'file'), '');
  const listeners = [{ role: 'mx', port }] as const;
  const cases = [
    { title: 'port', config: { listeners: [...listeners] }, args: [], says: takenHere },
    { title: 'unknown argument', args: ['--prot', '1'], says: /--prot/, exit: 2 },
    { title: 'no such file', args: ['--config', 'none.json'], says: /none\.json/ },
    { title: 'folder that is a file', args: ['--data', 'file'], says: /file cannot be written|file/ },
    {
      title: 'placeholder hostname on all addresses',
      config: { hostname: 'mx.example.org', listeners: [{ role: 'mx', host: '0.0.0.0', port: 0 }] },
      args: [],
      says: /^pillarbox: hostname: mx\.example\.org is a placeholder/,
    },
    {
      title: 'wrong setting',
      config: { hostname: 'a b', limits: { recipients: -1 } },
      args: [],
      says: /hostname[\s\S]*limits\.recipients/,
    },
  ];
  for (const { title, args, says, config, exit = 1 } of cases) {
    const sub = folder;
    if (config === undefined) rmSync(join(sub, 'pillarbox.json'), { force: true });
    const child = spawnService({ folder: sub, args, ...(config === undefined ? {} : { config: config as never }) });
    const [code] = await child.exited;
    assert.equal(code, exit, title);
    assert.match(child.errors(), says, title);
    assert.match(child.errors(), /^pillarbox: /, title);
    assert.doesNotMatch(child.errors(), /\n\s+at /, `${title}: no stack trace`);
  }
});

test('--help says what there is and exits 0', async (t) => {
  const child = spawnService({ folder: folderOf(t), args: ['--help'] });
  assert.deepEqual(await child.exited, [0, null]);
  for (const word of ['--config', '--data', '--http', '--http-host', '--world'])
    assert.ok(child.output().includes(word));
});

test('whoever stops reading what it says, as `head` does, makes it fail with no stack trace', async (t) => {
  const child = spawnService({ folder: folderOf(t), args: ['--help'] });
  child.child.stdout.destroy();
  assert.deepEqual(await child.exited, [0, null]);
  assert.equal(child.errors(), '');
});

test('what it keeps is readable by its owner alone, in a folder that others may enter too', async (t) => {
  const folder = folderOf(t);
  mkdirSync(join(folder, 'data'), { mode: 0o755 });
  await startLocalService(t, { folder });
  const files = readdirSync(join(folder, 'data'), { withFileTypes: true }).filter((entry) => entry.isFile());
  assert.ok(files.some(({ name }) => name.endsWith('.sqlite')));
  assert.ok(!files.some(({ name }) => name === '.gitignore'), 'a folder of somebody else');
  for (const { name } of files) assert.equal(statSync(join(folder, 'data', name)).mode & 0o077, 0, name);
});

test('a second service on the same folder or ports is told who has them and what to type; what it is told works', async (t) => {
  const folder = folderOf(t);
  const data = join(folder, 'data');
  const listeners = [{ role: 'mx', port: 0 }] as const;
  const first = await startLocalService(t, { folder, config: { listeners: [...listeners] } });
  const who = `process ${first.child.pid}`;
  const refused = async (args: readonly string[]): Promise<string> => {
    const child = spawnService({ folder, args });
    assert.deepEqual(await child.exited, [1, null]);
    return child.errors();
  };
  const [ofFolder, ofPort] = await Promise.all([
    refused([]),
    refused(['--data', 'other', '--smtp', `${first.ports.mx}`]),
  ]);
  assert.ok(
    ofFolder.includes(`is in use by another Pillarbox (${who}: SMTP 127.0.0.1:${first.ports.mx}, ${first.http})`),
    ofFolder,
  );
  assert.match(ofFolder, new RegExp(`: (?:npx )?pillarbox --http 0 --data ${data}-2$`, 'm'));
  assert.ok(ofPort.includes(`is taken by another Pillarbox (${who}, started in ${folder})`), ofPort);
  assert.match(ofPort, /: (?:npx )?pillarbox --http 0 --data other --smtp 0$/m);
  await startLocalService(t, { folder, data: join(folder, 'other'), config: null, args: ['--smtp', '0'] });
  assert.equal(readFileSync(join(folder, 'other', '.gitignore'), 'utf8'), '*\n');
});

test('ports and folder come from the environment, or from what is typed before that; free ports are told', async (t) => {
  const folder = folderOf(t);
  const environment = { PILLARBOX_SMTP: '0', PILLARBOX_SUBMISSION: '65000', PILLARBOX_SETTINGS: 'Rails' };
  const service = await startLocalService(t, { folder, config: null, environment, args: ['--submission', '0'] });
  const { listeners } = JSON.parse(readFileSync(join(folder, 'data', 'running.json'), 'utf8'));
  assert.deepEqual(
    listeners.map(({ role }: any) => role),
    ['mx', 'submission'],
    'no other port is opened',
  );
  assert.ok(service.ports.mx > 0 && ![0, 65_000].includes(service.ports.submission));
  const settings = `config.action_mailer.smtp_settings = { address: "127.0.0.1", port: ${service.ports.mx} }`;
  assert.ok(service.errors().includes(settings), service.errors());
  const shown = await runInProcess(['settings', 'rails'], {
    directory: folder,
    environment: { PILLARBOX_DATA: 'data' },
  });
  assert.ok(shown.out.includes(settings), shown.out);
  (await rawSmtp(service.ports.submission)).close();
});

test('it says where mail goes in and where it is to be seen, and keeps its secrets to itself', async (t) => {
  const folder = folderOf(t);
  const service = await startLocalService(t, { folder });
  assert.match(service.errors(), /catches every mail sent to it and passes nothing on/);
  assert.ok(service.errors().includes(`127.0.0.1:${service.ports.mx}`));
  assert.ok(service.errors().includes(service.http));
  for (const file of ['secrets/srs', 'self-signed.pem']) {
    assert.equal(statSync(join(folder, 'data', file)).mode & 0o777, 0o600, file);
  }
  for (const line of service.output().split('\n').slice(0, -1)) JSON.parse(line);
});

test('SIGTERM ends it in order, and the next start shows the same certificate and the same mail', async (t) => {
  const folder = folderOf(t);
  const first = await startLocalService(t, { folder });
  const certificate = readFileSync(join(folder, 'data', 'self-signed.pem'), 'utf8');
  const smtp = await rawSmtp(first.ports.mx);
  await smtp.command('EHLO mx.sender.example');
  const content = Buffer.from('Subject: kept\r\n\r\nhello\r\n');
  assert.match(await sendRaw(smtp, { to: ['bob@receiver.example'], content }), /^250/);
  assert.equal(await first.stop(), 0);
  assert.equal(existsSync(join(folder, 'data', 'running.json')), false);
  const second = await startLocalService(t, { folder });
  await eventually('the mail is listed', async () => (await second.json('/api/messages')).messages.length === 1);
  assert.equal(readFileSync(join(folder, 'data', 'self-signed.pem'), 'utf8'), certificate);
});

test('a second signal ends it at once', async (t) => {
  const service = await startLocalService(t, { folder: folderOf(t) });
  const smtp = await rawSmtp(service.ports.mx);
  for (const line of ['EHLO x.example', 'MAIL FROM:<a@x.example>', 'RCPT TO:<b@y.example>', 'DATA'])
    await smtp.command(line);
  await smtp.write('Subject: in flight\r\n');
  service.child.kill('SIGTERM');
  await eventually('it is stopping', () => service.output().includes('"stopping"'));
  assert.equal(service.child.exitCode, null);
  // What comes at once is the same signal, passed on by npm or sent to all of a terminal's programs.
  await eventually('it has ended', () => {
    service.child.kill('SIGTERM');
    return service.child.exitCode !== null;
  });
  assert.equal(service.child.exitCode, 1);
});

test('a changed configuration is in force without a restart; a broken one is reported and changes nothing', async (t) => {
  const folder = folderOf(t);
  const listeners = [{ role: 'mx', port: 0 }] as const;
  const config = {
    mode: 'serve',
    hostname: 'mx.receiver.example',
    listeners: [...listeners],
    domains: { 'receiver.example': { mailboxes: ['ann'] } },
  } as const;
  const service = await startLocalService(t, { folder, config: config as never });
  const rcpt = async (address: string): Promise<string> => {
    const smtp = await rawSmtp(service.ports.mx);
    await smtp.command('EHLO x.example');
    await smtp.command('MAIL FROM:<a@x.example>');
    const said = await smtp.command(`RCPT TO:<${address}>`);
    smtp.close();
    return said.slice(0, 3);
  };
  assert.equal(await rcpt('bob@receiver.example'), '550');
  const wider = { ...config, domains: { 'receiver.example': { mailboxes: ['ann', 'bob'] } } };
  writeFileSync(join(folder, 'pillarbox.json'), JSON.stringify(wider));
  await eventually('bob is known', async () => (await rcpt('bob@receiver.example')) === '250');
  writeFileSync(join(folder, 'pillarbox.json'), '{ "domains": ');
  await eventually('it is reported', async () => {
    await rcpt('bob@receiver.example');
    return (await service.json('/health')).problems.length > 0;
  });
  assert.equal(await rcpt('bob@receiver.example'), '250');
});

function folderOf(t: TestContext): string {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
