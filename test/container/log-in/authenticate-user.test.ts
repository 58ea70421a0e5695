import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPasswordCheck } from '#container/log-in/check-password.ts';
import { createHashQueue } from '#container/log-in/hash-queue.ts';
import { hashPassword, verifyPassword } from '#pipeline/config/password.ts';
import { oldHash, openSesameHash } from '#test/support/samples/password-hashes.ts';
import { stopwatch } from '#test/support/time/stopwatch.ts';

const user = { name: 'App@example.test', password: openSesameHash, mayFrom: ['*@example.test'] };
const old = { ...user, name: 'old@example.test', password: oldHash('open sesame') };
const claim = (name: string, password: string) => ({ name, password, group: '192.0.2.1', isKnown: false });
const newCheck = (now = () => 0) => createPasswordCheck(now, createHashQueue(1));

test('a right password is a user, in whatever case the name is; a wrong one and an unknown name are just wrong', async () => {
  const check = newCheck();
  const right = { outcome: 'user', user, renewed: null };
  assert.deepEqual(await check([user], claim('app@EXAMPLE.test', 'open sesame')), right);
  assert.deepEqual(await check([user], claim('app@example.test', 'Open sesame')), { outcome: 'wrong' });
  assert.deepEqual(await check([user], claim('who@example.test', 'open sesame')), { outcome: 'wrong' });
  assert.deepEqual(await check([user], claim('', '')), { outcome: 'wrong' });
});

test('an unknown name and a user with an old hash take as long as a wrong password, and the event loop goes on meanwhile', async () => {
  const check = newCheck();
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 5);
  const elapsed = async (name: string) => {
    const elapsedMs = stopwatch();
    await check([user, old], claim(name, 'wrong'));
    return elapsedMs();
  };
  await elapsed('app@example.test');
  const known = await elapsed('app@example.test');
  for (const name of ['who@example.test', 'old@example.test']) {
    const ratio = (await elapsed(name)) / known;
    assert.ok(ratio > 0.5 && ratio < 2, `${name}: ${ratio}`);
  }
  clearInterval(timer);
  assert.ok(turns > 20, `the loop turned ${turns} times`);
});

test('an old hash still lets its user in, and comes with one of the same password at the cost of today', async () => {
  const check = newCheck();
  const logIn = await check([old], claim('old@example.test', 'open sesame'));
  assert.ok(logIn.outcome === 'user' && logIn.renewed !== null);
  assert.match(logIn.renewed, /^scrypt:131072:8:1:/);
  assert.ok(await verifyPassword('open sesame', logIn.renewed));
  const elapsedMs = stopwatch();
  for (const password of [old.password, logIn.renewed]) {
    assert.equal((await check([{ ...old, password }], claim(old.name, 'open sesame'))).outcome, 'user');
  }
  assert.ok(elapsedMs() < 100, 'both are remembered');
});

test('what was right is remembered for a while, but not beyond a change of password', async () => {
  let now = 0;
  const check = newCheck(() => now);
  await check([user], claim(user.name, 'open sesame'));
  const elapsedMs = stopwatch();
  for (let count = 0; count < 200; count++) await check([user], claim(user.name, 'open sesame'));
  assert.ok(elapsedMs() < 1_000, 'two hundred hashes take longer than that');
  const changed = { ...user, password: await hashPassword('something else') };
  assert.deepEqual(await check([changed], claim(user.name, 'open sesame')), { outcome: 'wrong' });
  now = 300_000;
  assert.equal((await check([user], claim(user.name, 'open sesame'))).outcome, 'user');
});

test('a hundred connections that log in at once with the same password cost one hash, and none is told to come again', async () => {
  const check = newCheck();
  const elapsedMs = stopwatch();
  const logIns = await Promise.all(Array.from({ length: 100 }, () => check([user], claim(user.name, 'open sesame'))));
  assert.ok(logIns.every(({ outcome }) => outcome === 'user'));
  assert.ok(elapsedMs() < 3_000, 'a hundred hashes take half a minute');
});

/** Work that ends when it is told to. */
function byHand(queue: ReturnType<typeof createHashQueue>) {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  return {
    begun,
    ask: (who: string, group: string, isKnown = false) =>
      queue.run({ group, isKnown }, () => {
        begun.push(who);
        return new Promise<string>((resolve) => ends.push(() => resolve(who)));
      }),
    endOne: async () => {
      ends.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test('addresses are served in turn, whoever is known before strangers, and never more than may be at once', async () => {
  const { begun, ask, endOne } = byHand(createHashQueue(2));
  for (const who of ['a1', 'a2', 'a3', 'a4']) void ask(who, 'a');
  for (const who of ['b1', 'b2']) void ask(who, 'b');
  void ask('c1', 'c');
  void ask('known', 'd', true);
  assert.deepEqual(begun, ['a1', 'a2']);
  for (let count = 0; count < 6; count++) {
    await endOne();
    assert.ok(begun.length <= 2 + count + 1);
  }
  assert.deepEqual(begun, ['a1', 'a2', 'known', 'a3', 'b1', 'c1', 'a4', 'b2']);
});

test('an address may have as many waiting as it may have connections: the others are told to come again; those who are known have places of their own', async () => {
  const { ask, endOne } = byHand(createHashQueue(1));
  const answers = Array.from({ length: 53 }, () => ask('a', 'a'));
  answers.push(ask('known', 'k', true));
  for (let count = 0; count < 52; count++) await endOne();
  const busy = (await Promise.all(answers)).filter((answer) => answer === 'busy').length;
  assert.equal(busy, 2); // 1 at work, 50 wait
  assert.equal(await answers.at(-1), 'known');
});

test('where all places are taken, the address that has most of them gives one up; many addresses with one each keep theirs', async () => {
  const { ask, endOne } = byHand(createHashQueue(1));
  const flood = [0, 1, 2, 3, 4, 5].flatMap((group) => Array.from({ length: 50 }, () => ask('flood', `f${group}`)));
  const honest = Array.from({ length: 200 }, (_, n) => ask('honest', `h${n}`));
  for (let count = 0; count < 257; count++) await endOne();
  assert.ok((await Promise.all(honest)).every((answer) => answer === 'honest'));
  assert.equal((await Promise.all(flood)).filter((answer) => answer === 'flood').length, 1 + 256 - 200);
});

test('work that fails gives its place to the next', async () => {
  const queue = createHashQueue(1);
  await assert.rejects(queue.run({ group: 'a', isKnown: false }, () => Promise.reject(new Error('no memory'))));
  assert.equal(await queue.run({ group: 'a', isKnown: false }, async () => 'next'), 'next');
});
