// Received fields counted, wherever the packets are cut.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHeaderWatch } from '#container/intake/header-watch.ts';
import { openSession, startTestListener } from '#test/support/worlds/start-test-listener.ts';

const ours = 'Received: from x.test\r\n\tby MX.example.test (Pillarbox)\r\n with ESMTP id 1; now\r\n';
const others =
  'received: from mx.example.test by x.test; now\r\nX-Received: by mx.example.test ;\r\n by mx.example.test x\r\n';
const short = 'Received:by mx.example.test \r\nReceived: by mx.example.test.evil.test id 2\r\n';
const header = `${ours}${others}${short}Subject: by mx.example.test x\r\n\r\n${ours}`;

test('the Received fields of this host are told from those of others, however the header is cut', () => {
  for (let size = 1; size <= header.length; size++) {
    const watch = createHeaderWatch('mx.example.test');
    for (let at = 0; at < header.length; at += size) watch.push(Buffer.from(header.slice(at, at + size)));
    assert.deepEqual([watch.hops(), watch.ownHops()], [4, 1], `pieces of ${size}`);
  }
});

test('a message that comes back again and again is refused long before its hops are used up', async (t) => {
  const { port } = await startTestListener(t);
  const client = await openSession(t, { port });
  for (const { rounds, says } of [
    { rounds: 10, says: /^250 2\.6\.0/ },
    { rounds: 11, says: /^554 5\.4\.6/ },
  ]) {
    await client.say('MAIL FROM:<a@sender.test>');
    await client.say('RCPT TO:<support@example.test>');
    await client.say('DATA');
    assert.match(await client.say(`${ours.repeat(rounds)}Subject: x\r\n\r\nx\r\n.`), says);
  }
});
