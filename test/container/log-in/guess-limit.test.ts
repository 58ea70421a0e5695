// Passwords guessed from many addresses: counted by name, without locking out who has shown that they know it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createGuessLimit } from '#container/log-in/guess-limit.ts';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';
import { logIn, openSession, startTestListener, testConfig } from '#test/support/worlds/start-test-listener.ts';

test('strangers have so many guesses an hour under one name, however many addresses they come from', () => {
  let now = 0;
  const limit = createGuessLimit(() => now);
  const isTaken = (name: string, group: string) => limit.take(name, group, 2) !== null;
  assert.deepEqual([isTaken('Ada', 'a'), isTaken('ada', 'b'), isTaken('ADA', 'c')], [true, true, false]);
  assert.ok(isTaken('bob', 'c'), 'another name');
  now = 1_800_000;
  assert.deepEqual([isTaken('ada', 'd'), isTaken('ada', 'e')], [true, false]);
  now = 360_000_000;
  assert.deepEqual([isTaken('ada', 'f'), isTaken('ada', 'g'), isTaken('ada', 'h')], [true, true, false]);
});

test('a guess that was right, or that nobody looked at, is given back', () => {
  const limit = createGuessLimit(() => 0);
  limit.take('ada', 'a', 1)?.unjudged();
  limit.take('ada', 'b', 1)?.right();
  assert.ok(limit.take('ada', 'c', 1));
  assert.equal(limit.take('ada', 'd', 1), null);
});

test('an address that knows the password is no stranger; its log-ins earn strangers no more guesses', () => {
  const limit = createGuessLimit(() => 0);
  limit.take('ada', 'home', 1)?.right();
  assert.ok(limit.take('ada', 'elsewhere', 1));
  for (let count = 0; count < 5; count++) {
    const guess = limit.take('Ada', 'home', 1);
    assert.ok(guess);
    guess.right();
  }
  assert.equal(limit.take('ada', 'elsewhere', 1), null);
  assert.ok(limit.take('ada', 'home', 1));
  assert.equal(limit.take('bob', 'home', 0), null, 'known under one name only');
});

test('who is not limited takes no guesses, and leaves those of strangers as they are', () => {
  const limit = createGuessLimit(() => 0);
  for (let count = 0; count < 5; count++) assert.ok(limit.take('ada', 'here', Number.POSITIVE_INFINITY));
  assert.ok(limit.take('ada', 'elsewhere', 1));
  assert.equal(limit.take('ada', 'elsewhere', 1), null);
});

test('the tables do not grow for ever', () => {
  const limit = createGuessLimit(() => 0);
  limit.take('first', 'a', 1);
  for (let name = 0; name < 50_000; name++) limit.take(`n${name}`, 'a', 1);
  assert.ok(limit.take('first', 'a', 1), 'forgotten');
});

test('slow guessing from many addresses is answered 454 at last; who has logged in before still can', async (t) => {
  const user = { name: 'app@example.test', password: openSesameHash, mayFrom: ['*@example.test'] };
  const { port, log } = await startTestListener(t, {
    ...testConfig,
    users: [user],
    limits: { authFailuresPerUser: 2 },
  });
  const from = async (address: number, name: string, password: string) => {
    const client = await openSession(t, { port }, { role: 'submissions', localAddress: `127.0.0.${address}` });
    return (await logIn(client, name, password)).slice(0, 9);
  };
  assert.equal(await from(1, user.name, 'open sesame'), '235 2.7.0');
  for (const name of [user.name, 'nobody@example.test']) {
    assert.equal(await from(2, name, 'no'), '535 5.7.8');
    assert.equal(await from(3, name, 'no'), '535 5.7.8');
    assert.equal(await from(4, name, 'open sesame'), '454 4.7.0');
  }
  assert.equal(log.of('auth-not-judged').length, 2);
  assert.equal(await from(1, user.name, 'open sesame'), '235 2.7.0');
});
