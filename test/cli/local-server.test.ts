// The command line as people run it, against a running `npm start`.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { drained, eventually, startLocalService } from '#test/support/worlds/local-service.ts';
import { runInProcess, runPillarbox } from '#test/support/worlds/run-pillarbox.ts';

test('a message is sent, listed, shown, traced and replayed; queues, deliveries and redrive answer', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pillarbox-cli-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const service = await startLocalService(t, { folder });
  const there = ['--url', service.http];
  const sent = await runPillarbox([
    ...['send', '--from', 'ann@a.example', '--to', 'bob@b.example', '--subject', 'over the wire', '--text', 'hello'],
    ...['--server', `127.0.0.1:${service.ports.mx}`],
  ]);
  assert.equal(sent.code, 0, sent.err);
  const id = sent.out.trim();
  await drained(service);
  await eventually('it landed', async () => (await service.json('/api/messages')).messages.length === 1);
  const runs = [
    { args: ['list'], says: new RegExp(`^${id} .*bob@b\\.example +over the wire$`, 'm') },
    { args: ['show', id], says: /^Subject: +over the wire$[\s\S]*^hello$/m },
    { args: ['trace', id], says: /delivered to the inbox of bob@b\.example/ },
    // The replay below runs at the same time: its job may be ready or in work just then.
    { args: ['queues'], says: /^received +[01] +0 +[01] +0 +\S+$/m },
    { args: ['redrive', 'parse'], says: /^0 jobs of parse are tried again$/m },
    { args: ['deliveries'], says: /^No outbound mail\.$/m },
    {
      args: ['replay', id],
      says: /on its way again for bob@b\.example[\s\S]*stays as it is:\n {2}inbox\/b\.example\/bob\//,
    },
  ];
  const ran = await Promise.all(runs.map(({ args }) => runPillarbox([...args, ...there])));
  for (const [n, { args, says }] of runs.entries()) {
    assert.equal(ran[n]!.code, 0, `${args.join(' ')}: ${ran[n]!.err}`);
    assert.match(ran[n]!.out, says, args.join(' '));
  }
  const copied = await runInProcess(['replay', id, '--to', 'carl@c.example', '--json', ...there]);
  const copy = JSON.parse(copied.out);
  await drained(service);
  await eventually('the copy landed', async () => (await service.json('/api/messages')).messages.length === 2);
  const shown = await service.json(`/api/messages/${copy.id}`);
  assert.deepEqual([shown.subject, shown.mailbox.localPart], ['over the wire', 'carl']);
  assert.equal(
    (await service.json('/api/queues')).some(({ dead }: { dead: number }) => dead > 0),
    false,
  );
});
