// Who is no user any more, or may write as others than before, is out: at once, in the middle of a message too.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { hashPassword } from '#pipeline/config/password.ts';
import { storedReference } from '#pipeline/config/stored-hashes.ts';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';
import { stopwatch } from '#test/support/time/stopwatch.ts';
import {
  logIn,
  openSession,
  type RawClient,
  startTestListener,
  type TestListener,
  testConfig,
} from '#test/support/worlds/start-test-listener.ts';

type User = NonNullable<ConfigInput['users']>[number];

const [password, changed] = [openSesameHash, await hashPassword('another')];
const app: User = { name: 'app@example.test', password, mayFrom: ['*@example.test'] };
const other: User = { ...app, name: 'other@example.test' };
const listeners = [{ role: 'submissions' as const, port: 0 }];

async function loggedIn(t: TestContext, at: TestListener, name: string): Promise<RawClient> {
  const client = await openSession(t, at, { role: 'submissions' });
  assert.match(await logIn(client, name), /^235/);
  return client;
}

async function beginData(client: RawClient, name: string): Promise<void> {
  await client.say(`MAIL FROM:<${name}>`);
  await client.say('RCPT TO:<x@elsewhere.test>');
  assert.match(await client.say('DATA'), /^354/);
}

for (const { title, users } of [
  { title: 'was removed', users: [other] },
  { title: 'has another password', users: [other, { ...app, password: changed }] },
  { title: 'may write as others', users: [other, { ...app, mayFrom: ['app@example.test'] }] },
]) {
  test(`a user who ${title} loses sessions that are open within a second, one in the middle of a message too; others keep theirs`, async (t) => {
    const at = await startTestListener(t, { ...testConfig, listeners, users: [app, other] });
    const [idle, sending, untouched] = await Promise.all([app, app, other].map(({ name }) => loggedIn(t, at, name)));
    await beginData(sending!, app.name);
    sending!.write(`From: ${app.name}\r\n\r\nhalf`);
    const elapsedMs = stopwatch();
    at.config.change({ ...testConfig, listeners, users });
    for (const client of [idle!, sending!]) {
      assert.match((await client.reply()) ?? '', /^421 4\.7\.0 .*log in again/);
      assert.equal(await client.reply(), null);
    }
    assert.ok(elapsedMs() < 1_000, `${elapsedMs()} ms`);
    assert.equal(at.intake.messages.length, 0);
    await beginData(untouched!, other.name);
    assert.match(await untouched!.say(`From: ${other.name}\r\n\r\nhi\r\n.`), /^250/);
  });
}

test('a user whose hash is now kept elsewhere keeps what is open, and logs in with the same password', async (t) => {
  const read = async (reference: string) => (reference === storedReference(password) ? password : 'another');
  const at = await startTestListener(t, { ...testConfig, listeners, users: [app] }, { secrets: { read } });
  const client = await loggedIn(t, at, app.name);
  await beginData(client, app.name);
  at.config.change({ ...testConfig, listeners, users: [{ ...app, password: storedReference(password) }] });
  await loggedIn(t, at, app.name);
  assert.match(await client.say(`From: ${app.name}\r\n\r\nhi\r\n.`), /^250/);
});

test('a message whose user is removed right before its end is not acknowledged, and not stored', async (t) => {
  const at = await startTestListener(t, { ...testConfig, listeners, users: [app] });
  const client = await loggedIn(t, at, app.name);
  await beginData(client, app.name);
  client.write(`From: ${app.name}\r\n\r\nhi\r\n`);
  at.config.change({ ...testConfig, listeners, users: [] });
  assert.match(await client.say('.'), /^421 4\.7\.0/);
  assert.equal(at.intake.messages.length, 0);
  assert.equal(await client.reply(), null);
});

test('what is changed of another setting ends no session, and limits hold for those that are open', async (t) => {
  const at = await startTestListener(t, { ...testConfig, listeners, users: [app] });
  const client = await loggedIn(t, at, app.name);
  const silent = await openSession(t, at, { role: 'submissions' });
  const from = { ...testConfig, listeners, users: [app] };
  at.config.change({ ...from, limits: { recipients: 1, sessionSeconds: 1_700 } });
  await client.say(`MAIL FROM:<${app.name}>`);
  await client.say('RCPT TO:<x@elsewhere.test>');
  assert.match(await client.say('RCPT TO:<y@elsewhere.test>'), /^452 4\.5\.3/);
  at.config.change({ ...from, limits: { idleSeconds: 1 } });
  assert.match((await silent.reply()) ?? '', /^421 4\.4\.2/);
});

test('a session goes by one configuration: what is offered to it is what its next message is held to', async (t) => {
  const at = await startTestListener(t, { ...testConfig, listeners, users: [app] });
  const [first, second] = [await loggedIn(t, at, app.name), await loggedIn(t, at, app.name)];
  at.config.change({
    ...testConfig,
    listeners,
    users: [app],
    hostname: 'mx.new.test',
    limits: { messageBytes: 5_000 },
  });
  await second.say(`MAIL FROM:<${app.name}>`); // from now on it is known
  assert.match(await first.say('EHLO client.test'), /^250-mx\.new\.test[\s\S]*250-SIZE 5000/);
  assert.match(await first.say(`MAIL FROM:<${app.name}> SIZE=6000`), /^552/);
});

test('a message goes by the configuration of its MAIL to its end', async (t) => {
  const at = await startTestListener(t, { ...testConfig, listeners, users: [app] });
  const [first, second] = [await loggedIn(t, at, app.name), await loggedIn(t, at, app.name)];
  await first.say(`MAIL FROM:<${app.name}>`);
  at.config.change({
    ...testConfig,
    listeners,
    users: [app],
    hostname: 'mx.new.test',
    limits: { messageBytes: 5_000 },
  });
  await second.say(`MAIL FROM:<${app.name}>`);
  for (const n of [1, 2]) assert.match(await first.say(`RCPT TO:<${n}@elsewhere.test>`), /^250/);
  await first.say('DATA');
  const line = `${'x'.repeat(98)}\r\n`;
  assert.match(await first.say(`From: ${app.name}\r\n\r\n${line.repeat(60)}.`), /^250/);
  assert.doesNotMatch(String(at.intake.messages[0]?.raw), /mx\.new\.test/);
});

test("each recipient counts for its user's minute, over all sessions and ports; the reply says when to come again", async (t) => {
  const limits = { recipientsPerMinutePerUser: 5 };
  const all = [...listeners, { role: 'submission' as const, port: 0 }];
  const at = await startTestListener(t, { ...testConfig, listeners: all, users: [app, other], limits });
  const [first, second] = [await loggedIn(t, at, app.name), await loggedIn(t, at, app.name)];
  for (const client of [first, second]) await client.say(`MAIL FROM:<${app.name}>`);
  for (const n of [1, 2, 3, 3, 3]) assert.match(await first.say(`RCPT TO:<${n}@elsewhere.test>`), /^250/);
  for (const n of [1, 2]) assert.match(await second.say(`RCPT TO:<${n}@elsewhere.test>`), /^250/);
  for (const client of [first, second]) {
    const says = await client.say('RCPT TO:<z@elsewhere.test>');
    assert.match(
      says,
      /^450 4\.7\.1 Too many recipients of this user in a short time; please try again in 1?\d seconds/,
    );
  }
  const theirs = await loggedIn(t, at, other.name);
  await theirs.say(`MAIL FROM:<${other.name}>`);
  assert.match(await theirs.say('RCPT TO:<z@elsewhere.test>'), /^250/);
});
