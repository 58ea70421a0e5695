import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { until } from '#test/support/time/until.ts';
import { beginMessage, openSession, rawClient, startTestListener } from '#test/support/worlds/start-test-listener.ts';

test('closing says 421 to who is idle, finishes the message on its way, then is done', async (t) => {
  const { port, intake, listener } = await startTestListener(t);
  const idle = rawClient(port('mx'));
  await idle.reply();
  const busy = await openSession(t, { port });
  await beginMessage(busy);
  busy.write('Subject: x\r\n\r\nfirst half\r\n');
  let isClosed = false;
  const closing = listener.close(20).then(() => {
    isClosed = true;
  });
  assert.equal(await idle.reply(), '421 4.3.2 Shutting down; please reconnect');
  assert.equal(await idle.reply(), null);
  assert.equal(listener.health().isDraining, true);
  const refused = await new Promise((resolve) => {
    connect(port('mx'), '127.0.0.1', () => resolve(false)).once('error', () => resolve(true));
  });
  assert.equal(refused, true);
  assert.equal(isClosed, false);
  busy.write('second half\r\n.\r\n');
  assert.match((await busy.reply()) ?? '', /^250 2\.6\.0/);
  assert.match((await busy.reply()) ?? '', /^421 4\.3\.2/);
  await closing;
  assert.equal(intake.messages.length, 1);
});

test('a message that the store is taking when the door closes is still answered', async (t) => {
  const { port, intake, listener } = await startTestListener(t);
  let store: () => void = () => {};
  intake.gateCommit = new Promise((resolve) => {
    store = resolve;
  });
  const client = await openSession(t, { port });
  await beginMessage(client);
  client.write('hi\r\n.\r\n');
  const closing = listener.close(20);
  setTimeout(store, 100);
  assert.match((await client.reply()) ?? '', /^250 2\.6\.0/);
  await closing;
  assert.equal(intake.messages.length, 1);
});

test('the grace has an end: who does not finish is cut off, and nothing of it stays', async (t) => {
  const { port, intake, listener } = await startTestListener(t);
  const client = await openSession(t, { port });
  await beginMessage(client);
  client.write('Subject: x\r\n\r\nnever ending\r\n');
  await until(() => intake.opened === 1, 'begun');
  await listener.close(0.1);
  assert.equal(await client.reply(), null);
  await until(() => intake.aborted === 1, 'abort');
  assert.equal(intake.messages.length, 0);
});
