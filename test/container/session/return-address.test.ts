// What strangers may do with the return addresses that forwarded mail carries, and with a line too long within AUTH.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { srsForward } from '#mail/address/srs.ts';
import { openSession, startTestListener } from '#test/support/worlds/start-test-listener.ts';

const returnAddress = srsForward('joe@sender.test', 'example.test', 'srs secret', Date.now());

test('a return address of ours takes bounces, and is no way to write to others through us', async (t) => {
  const { port } = await startTestListener(t);
  const client = await openSession(t, { port });
  await client.say('MAIL FROM:<spammer@sender.test>');
  assert.match(await client.say(`RCPT TO:<${returnAddress}>`), /^550 5\.7\.1 .*bounces only/);
  await client.say('RSET');
  await client.say('MAIL FROM:<>');
  assert.match(await client.say(`RCPT TO:<${returnAddress}>`), /^250 /);
});

test('an overlong line ends an AUTH exchange: what follows is a command again (RFC 4954 §4)', async (t) => {
  const { port } = await startTestListener(t);
  const client = await openSession(t, { port }, { role: 'submissions' });
  assert.match(await client.say('AUTH PLAIN'), /^334/);
  assert.match(await client.say('A'.repeat(20_000)), /^500 5\.5\.6/);
  assert.match(await client.say('NOOP'), /^250/);
});
