import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { receivedJobSchema } from '#pipeline/contract/jobs.ts';
import {
  beginMessage,
  openSession,
  type RawClient,
  rawClient,
  startTestListener,
  testConfig,
} from '#test/support/worlds/start-test-listener.ts';

const listener = await startTestListener({ after }, { ...testConfig, limits: { messageBytes: 200_000, hops: 5 } });
const { intake } = listener;

const envelope = 'MAIL FROM:<a@sender.test>\r\nRCPT TO:<support@example.test>\r\nDATA\r\n';

async function send(client: RawClient, data: string | Buffer): Promise<string> {
  await beginMessage(client);
  client.write(data);
  return (await client.reply()) ?? 'closed';
}

test('a message is stored byte for byte behind one Received field, and its job says how long it is', async (t) => {
  const client = await openSession(t, listener);
  const reply = await send(client, 'Subject: hi\r\n\r\n..dot\r\n\xe9\x00\xff\r\n.\r\n');
  const message = intake.messages.at(-1);
  assert.ok(message);
  assert.equal(reply, `250 2.6.0 Message accepted as ${message.job.id}`);
  const [field = '', ...rest] = message.raw.toString('latin1').split(/(?<=\r\n)(?![ \t])/);
  assert.match(field, /^Received: from client\.test \(\[127\.0\.0\.1\]\)\s+by mx\.example\.test .*with ESMTP\s+id/s);
  assert.match(field, /for\s+<support@example\.test>/);
  assert.equal(rest.join(''), 'Subject: hi\r\n\r\n.dot\r\n\xe9\x00\xff\r\n');
  assert.equal(message.job.raw.bytes, message.raw.length);
  assert.equal(message.job.raw.sha256, createHash('sha256').update(message.raw).digest('hex'));
  assert.doesNotThrow(() => receivedJobSchema.parse(message.job));
});

test('an alias is one recipient of the job for each route, and DSN wishes go along', async (t) => {
  const client = await openSession(t, listener);
  client.write('MAIL FROM:<a@sender.test> RET=HDRS ENVID=q+2B1 BODY=8BITMIME\r\n');
  client.write('RCPT TO:<info@example.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;x@y.test\r\nDATA\r\nhi\r\n.\r\n');
  for (let replies = 0; replies < 4; replies++) await client.reply();
  const job = intake.messages.at(-1)?.job;
  assert.deepEqual(job?.envelope.dsn, { ret: 'hdrs', envid: 'q+1' });
  assert.equal(job?.envelope.bodyType, '8bitmime');
  const dsn = { notify: ['failure', 'delay'], orcpt: 'rfc822;x@y.test' };
  assert.deepEqual(job?.envelope.recipients, [
    {
      forwardPath: 'info@example.test',
      dsn,
      route: { kind: 'mailbox', mailbox: { domain: 'example.test', localPart: 'support', tag: null } },
    },
    { forwardPath: 'info@example.test', dsn, route: { kind: 'forward', to: ['boss@elsewhere.test'] } },
  ]);
});

const bodies: readonly { readonly title: string; readonly body: string | Buffer; readonly reply: RegExp }[] = [
  { title: 'an empty message', body: '', reply: /^250/ },
  { title: 'a message without a header', body: 'only text\r\n', reply: /^250/ },
  {
    title: 'a message with a line of 100,000 octets',
    body: `Subject: x\r\n\r\n${'x'.repeat(100_000)}\r\n`,
    reply: /^250/,
  },
  { title: 'a message of exactly the limit', body: `${'x'.repeat(199_998)}\r\n`, reply: /^250/ },
  { title: 'a message over the limit', body: `${'x'.repeat(199_999)}\r\n`, reply: /^552 5\.3\.4/ },
  { title: 'a message far over the limit', body: `${'x'.repeat(400_000)}\r\n`, reply: /^552 5\.3\.4/ },
  {
    title: 'a message that was on its way for long',
    body: `${'Received: x\r\n'.repeat(6)}\r\n`,
    reply: /^554 5\.4\.6/,
  },
  {
    title: 'a message that was on its way for long enough',
    body: `${'RECEIVED: x\r\n'.repeat(5)}\r\nReceived: body\r\n`,
    reply: /^250/,
  },
  { title: 'a bare LF', body: 'a\nb\r\n', reply: /^550 5\.6\.11/ },
  { title: 'a bare CR', body: 'a\rb\r\n', reply: /^550 5\.6\.11/ },
];

for (const { title, body, reply } of bodies) {
  test(`${title} is answered ${reply.source} once, and the session goes on`, async (t) => {
    const before = intake.messages.length;
    const client = await openSession(t, listener);
    assert.match(await send(client, `${body}.\r\n`), reply);
    assert.equal(await client.say('NOOP'), '250 2.0.0 OK');
    const isTaken = reply.source.startsWith('^250');
    assert.equal(intake.messages.length, before + (isTaken ? 1 : 0));
    if (isTaken) assert.ok(intake.messages.at(-1)?.raw.toString('latin1').endsWith(`\r\n${body}`));
  });
}

test('a message that never ends is cut off', async (t) => {
  const client = await openSession(t, listener);
  assert.match(await send(client, `${'x'.repeat(1_000_000)}\r\n`.repeat(2)), /^552 5\.3\.4/);
  assert.equal(await client.reply(), null);
});

test('with several recipients the Received field names none of them: each stays private', async (t) => {
  const client = await openSession(t, listener);
  const others = 'RCPT TO:<info@example.test>\r\nRCPT TO:<postmaster@example.test>\r\nDATA\r\n';
  client.write(envelope.replace('DATA\r\n', others));
  for (let replies = 0; replies < 5; replies++) await client.reply();
  assert.match(await client.say('Subject: hi\r\n\r\nhi\r\n.'), /^250/);
  const [field = ''] =
    intake.messages
      .at(-1)
      ?.raw.toString('latin1')
      .split(/(?<=\r\n)(?![ \t])/) ?? [];
  assert.match(field, /^Received: /);
  assert.doesNotMatch(field, /\sfor\s|support|info@|postmaster/);
});

test('BDAT brings any bytes in any pieces (RFC 3030)', async (t) => {
  const client = await openSession(t, listener);
  const bytes = randomBytes(50_000);
  client.write('MAIL FROM:<a@sender.test> BODY=BINARYMIME\r\nRCPT TO:<support@example.test>\r\nBDAT 20000\r\n');
  client.write(bytes.subarray(0, 20_000));
  client.write('BDAT 0\r\nBDAT 30000\r\n');
  client.write(bytes.subarray(20_000));
  client.write('BDAT 0 LAST\r\nNOOP\r\n');
  const replies: (string | null)[] = [];
  for (let count = 0; count < 7; count++) replies.push(await client.reply());
  assert.deepEqual(
    replies.map((reply) => reply?.slice(0, 9)),
    ['250 2.1.0', '250 2.1.5', '250 2.0.0', '250 2.0.0', '250 2.0.0', '250 2.6.0', '250 2.0.0'],
  );
  const message = intake.messages.at(-1);
  assert.ok(message?.raw.subarray(-50_000).equals(bytes));
  assert.equal(message?.job.envelope.bodyType, 'binarymime');
});

test('BDAT of text is held to CRLF as DATA is, and DATA cannot follow BDAT', async (t) => {
  const client = await openSession(t, listener);
  client.write(
    'MAIL FROM:<a@sender.test>\r\nRCPT TO:<support@example.test>\r\nBDAT 4\r\na\nb\nDATA\r\nBDAT 0 LAST\r\n',
  );
  const replies: (string | null)[] = [];
  for (let count = 0; count < 5; count++) replies.push(await client.reply());
  assert.deepEqual(
    replies.map((reply) => reply?.slice(0, 10)),
    ['250 2.1.0 ', '250 2.1.5 ', '550 5.6.11', '503 5.5.1 ', '550 5.6.11'],
  );
});

test('a CR as the last octet of a text is bare: nothing follows it that could make it a line end', async (t) => {
  const client = await openSession(t, listener);
  client.write('MAIL FROM:<a@sender.test>\r\nRCPT TO:<support@example.test>\r\nBDAT 5 LAST\r\na\r\nb\r');
  const replies: (string | null)[] = [];
  for (let count = 0; count < 3; count++) replies.push(await client.reply());
  assert.match(replies[2] ?? '', /^550 5\.6\.11/);
});

test('what is pipelined in one packet is answered in order', async (t) => {
  const client = await openSession(t, listener);
  const one = `${envelope}Subject: x\r\n\r\nhi\r\n.\r\n`;
  client.write(`${one}RSET\r\n${one}VRFY x\r\nQUIT\r\nNOOP\r\n`);
  const codes: string[] = [];
  for (let reply = await client.reply(); reply !== null; reply = await client.reply()) codes.push(reply.slice(0, 3));
  assert.equal(codes.join(' '), '250 250 354 250 250 250 250 354 250 252 221');
});

test('a client that closes its side after the last line still gets its replies', async () => {
  const client = rawClient(listener.port('mx'));
  client.socket().on('end', () => {});
  client.socket().end(`EHLO c.test\r\n${envelope}hi\r\n.\r\n`);
  const codes: string[] = [];
  for (let reply = await client.reply(); reply !== null; reply = await client.reply()) codes.push(reply.slice(0, 3));
  assert.equal(codes.join(' '), '220 250 250 250 354 250');
});

test('a refusal that was told before the end is on record although the client gives up', async (t) => {
  const client = await openSession(t, listener);
  const before = listener.log.of('message-refused').length;
  client.write('MAIL FROM:<a@sender.test>\r\nRCPT TO:<support@example.test>\r\nBDAT 4\r\na\nb\nRSET\r\n');
  for (let count = 0; count < 4; count++) await client.reply();
  assert.equal(listener.log.of('message-refused').length, before + 1);
});
