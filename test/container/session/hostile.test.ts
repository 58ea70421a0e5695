import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { createHeaderWatch } from '#container/intake/header-watch.ts';
import { createInputReader } from '#container/session/input-reader.ts';
import { fieldsNamed } from '#mail/header/header-fields.ts';
import { readHeader } from '#mail/header/read-header.ts';
import { until } from '#test/support/time/until.ts';
import { rawClient, startTestListener } from '#test/support/worlds/start-test-listener.ts';

const listener = await startTestListener({ after });

const lines = [
  'EHLO x',
  'HELO x',
  'MAIL FROM:<a@b.test>',
  'RCPT TO:<support@example.test>',
  'RCPT TO:<"',
  'DATA',
  '.',
  'BDAT 5',
  'BDAT 3 LAST',
  'RSET',
  'AUTH PLAIN',
  'AUTH LOGIN =',
  'Subject: x',
  '',
  'NOOP',
  '\0\xff',
  'VRFY x',
  'MAIL FROM:<> SIZE=1 BODY=BINARYMIME',
];
const session = fc.array(fc.oneof(fc.constantFrom(...lines), fc.string({ maxLength: 30 })), { maxLength: 30 });

test('no order of commands and no bytes stop the listener or leave anything behind', async () => {
  await fc.assert(
    fc.asyncProperty(session, fc.constantFrom('mx' as const, 'submission' as const), async (said, role) => {
      const client = rawClient(listener.port(role));
      client.socket().end(Buffer.from(`${said.join('\r\n')}\r\n`, 'latin1'));
      for (let reply = await client.reply(); reply !== null; reply = await client.reply()) {
        assert.match(reply, /^(?:[2-5]\d\d[- ])/);
        assert.doesNotMatch(reply, /^451/);
      }
    }),
    { numRuns: 300 },
  );
  await until(() => listener.listener.health().connections === 0, 'no connections');
  assert.equal(listener.listener.health().bytesInFlight, 0);
  assert.equal(listener.log.of('smtp-fault').length, 0);
});

test('a client that floods commands and reads no replies is held back', async (t) => {
  const client = rawClient(listener.port('mx'));
  t.after(client.close);
  await client.reply();
  const socket = client.socket();
  socket.pause();
  const flood = Buffer.from('NOOP\r\n'.repeat(100_000));
  let sent = 0;
  const pump = () => {
    for (let more = true; more && sent < 100; sent++) more = socket.write(flood);
    if (sent < 100) socket.once('drain', pump);
  };
  pump();
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(sent < 60, `${sent} floods of 600 KB were read`);
  const other = rawClient(listener.port('mx'));
  t.after(other.close);
  assert.match((await other.reply()) ?? '', /^220/);
});

test('the header watch counts and ends where the header does, however it is cut', () => {
  const piece = fc.constantFrom(
    'Received: x\r\n',
    'RECEIVED:\r\n',
    'Receive: x\r\n',
    'X-Received: y\r\n',
    ' Received: folded\r\n',
    'Subject: x\r\n',
    '\r\n',
    'received',
    ':',
    'x',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.nat(8), (pieces, size) => {
      const bytes = Buffer.from(pieces.join(''));
      const watch = createHeaderWatch('mx.example.test');
      let bodyAt = -1;
      for (let at = 0; at < bytes.length && bodyAt < 0; at += size + 1) {
        const ended = watch.push(bytes.subarray(at, at + size + 1));
        if (ended >= 0) bodyAt = at + ended;
      }
      watch.end();
      const header = readHeader(bytes);
      if (header.hasEmptyLine && bodyAt >= 0) assert.equal(bodyAt, header.bodyOffset);
      assert.equal(watch.hops(), fieldsNamed(header.fields, 'received').length);
    }),
    { numRuns: 1_000 },
  );
});

test('lines are the same wherever they are cut, and one that is too long is dropped whole', () => {
  const sent = 'NOOP\r\nRSET\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\nQUIT\r\npartial';
  for (let size = 1; size <= sent.length; size++) {
    const seen: string[] = [];
    const reader = createInputReader(() => 20, {
      line: (line) => void seen.push(line.toString()),
      overlongLine: () => void seen.push('too long'),
    });
    for (let at = 0; at < sent.length; at += size) reader.push(Buffer.from(sent.slice(at, at + size)), () => {});
    assert.deepEqual(seen, ['NOOP', 'RSET', '', 'too long', 'QUIT'], `cut every ${size}`);
  }
});
