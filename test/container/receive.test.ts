import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { rawClient, startTestListener } from './start-test-listener.ts';

test('a message comes in over a raw socket and is stored behind one Received field', async (t) => {
  const { port, intake, close } = await startTestListener();
  t.after(close);
  const client = rawClient(port('mx'));
  t.after(client.close);
  assert.equal(await client.reply(), '220 mx.example.test ESMTP Pillarbox');
  assert.match((await client.say('EHLO client.test')) ?? '', /^250-mx\.example\.test\n/);
  assert.equal(await client.say('MAIL FROM:<a@sender.test>'), '250 2.1.0 Sender OK');
  assert.equal(await client.say('RCPT TO:<support@example.test>'), '250 2.1.5 Recipient OK');
  assert.match((await client.say('DATA')) ?? '', /^354 /);
  const body = 'Subject: hi\r\n\r\n.dot\r\n\xe9\r\n';
  client.write('Subject: hi\r\n\r\n..dot\r\n\xe9\r\n.\r\n');
  const [message] = await client.reply().then((reply) => {
    assert.match(reply ?? '', /^250 2\.6\.0 Message accepted as [0-9A-Z]{26}$/);
    return intake.messages;
  });
  assert.ok(message);
  const raw = message.raw.toString('latin1');
  assert.match(raw, /^Received: from client\.test \(\[127\.0\.0\.1\]\)/);
  assert.ok(raw.endsWith(`\r\n${body}`));
  assert.equal(message.job.raw.bytes, message.raw.length);
  assert.equal(message.job.raw.sha256, createHash('sha256').update(message.raw).digest('hex'));
  assert.equal(await client.say('QUIT'), '221 2.0.0 Bye');
  assert.equal(await client.reply(), null);
});
