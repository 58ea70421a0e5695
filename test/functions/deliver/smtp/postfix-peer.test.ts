// Real receivers: Postfix (TLS, and bare line feeds taken as line ends), and smtp-sink with what it can be told to lack.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { test } from 'node:test';
import { generate } from 'selfsigned';
import { deliveryWorld } from '#test/functions/deliver/delivery-world.ts';
import { freePort } from '#test/support/peers/free-port.ts';
import { findPeer, peerOptions } from '#test/support/peers/peers.ts';
import { startPostfix } from '#test/support/peers/postfix.ts';

const options = peerOptions('postfix', 'smtp-sink');
const asRoot =
  options.skip === undefined && process.getuid?.() !== 0 ? { skip: 'Postfix starts as root only' } : options;
const ends = [
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r',
  '\r\n.\r',
  '\r.\r\n',
  '\n.\r',
  '\r\r\n.\r\r\n',
  '\r\n\0.\r\n',
  '\r\n.\r\n',
  '\r\n..\r\n',
];

test('Postfix gets each body with a false end of data as one message, over TLS', asRoot, async (t) => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'mx.far.example' }]);
  const postfix = await startPostfix({ cert, key });
  const world = deliveryWorld({ port: postfix.port, config: { delivery: { attemptSeconds: 20 } } });
  t.after(async () => {
    await world.close();
    postfix.stop();
  });
  for (const [index, end] of ends.entries()) {
    const smuggled = `MAIL FROM:<evil@sender.example>\r\nRCPT TO:<b@far.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nevil\r\n.\r\n`;
    const job = world.job({
      message: Buffer.from(
        `From: a@sender.example\r\nSubject: number ${index}\r\n\r\nbefore${end}${smuggled}after\r\n`,
        'latin1',
      ),
    });
    assert.equal((await world.run(job)).outcome, 'delivered', JSON.stringify(end));
    const [host] = world.state(job).attempts[0]!.hosts;
    assert.match(host!.tls!.version, /TLSv1\.3/);
  }
  const messages = await postfix.messages(ends.length);
  assert.equal(messages.length, ends.length);
  assert.ok(messages.every((text) => /^Subject: number \d+$/m.test(text) && text.trimEnd().endsWith('after')));
});

test('Postfix refuses an address and a size; both bounce with its words', asRoot, async (t) => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'mx.far.example' }]);
  const postfix = await startPostfix({
    cert,
    key,
    settings: {
      virtual_mailbox_maps: 'inline:{b@far.example=box/}',
      message_size_limit: '2000',
      virtual_mailbox_limit: '0',
    },
  });
  const world = deliveryWorld({ port: postfix.port, config: { delivery: { attemptSeconds: 20 } } });
  t.after(async () => {
    await world.close();
    postfix.stop();
  });
  assert.equal((await world.run(world.job({ to: ['b@far.example', 'nobody@far.example'] }))).outcome, 'partial');
  assert.match(
    world.bounces[0]!.text,
    /Final-Recipient: rfc822; ?nobody@far\.example\r\nAction: failed\r\nStatus: 5\.1\.1/,
  );
  assert.deepEqual(world.store.keys('suppressions/'), [
    'suppressions/far.example.json',
    'suppressions/far.example/nobody.json',
  ]);
  const big = world.job({ message: `From: a@sender.example\r\n\r\n${'x\r\n'.repeat(2_000)}` });
  assert.equal((await world.run(big)).outcome, 'bounced');
  assert.equal(world.state(big).recipients[0]!.status, '5.3.4');
  assert.equal((await postfix.messages(1)).length, 1);
});

for (const { title, flags, outcome } of [
  { title: 'as it is', flags: [], outcome: 'delivered' },
  { title: 'without EHLO', flags: ['-e'], outcome: 'delivered' },
  { title: 'without PIPELINING', flags: ['-p'], outcome: 'delivered' },
  { title: 'with 450 to RCPT', flags: ['-r', 'RCPT'], outcome: 'deferred' },
  { title: 'with 500 to RCPT', flags: ['-f', 'RCPT'], outcome: 'bounced' },
  { title: 'with 450 after the message', flags: ['-r', '.'], outcome: 'deferred' },
  { title: 'hanging up at RCPT', flags: ['-q', 'RCPT'], outcome: 'deferred' },
  { title: 'hanging up after the message', flags: ['-q', '.'], outcome: 'deferred' },
]) {
  test(`smtp-sink ${title}: ${outcome}`, peerOptions('smtp-sink'), async (t) => {
    const port = await freePort();
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
    const sink = spawn(findPeer('smtp-sink')!, [...user, ...flags, `127.0.0.1:${port}`, '10'], { stdio: 'ignore' });
    const world = deliveryWorld({ port });
    t.after(async () => {
      await world.close();
      sink.kill();
    });
    await listening(port);
    assert.equal((await world.run(world.job())).outcome, outcome);
  });
}

async function listening(port: number): Promise<void> {
  for (const deadline = Date.now() + 30_000; ; ) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(socket.destroy() !== null));
      socket.on('error', () => resolve(false));
    });
    if (isOpen) return;
    if (Date.now() > deadline) throw new Error(`nothing listens on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
