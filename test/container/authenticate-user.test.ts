import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPasswordCheck } from '#container/authenticate-user.ts';
import { hashPassword } from '#pipeline/password.ts';
import { stopwatch } from '#test/support/stopwatch.ts';

const user = { name: 'App@example.test', password: await hashPassword('open sesame'), mayFrom: ['*@example.test'] };

test('a right password is a user, in whatever case the name is; a wrong one and an unknown name are just wrong', async () => {
  const check = createPasswordCheck(() => 0);
  assert.deepEqual(await check([user], 'app@EXAMPLE.test', 'open sesame'), { outcome: 'user', user });
  assert.deepEqual(await check([user], 'app@example.test', 'Open sesame'), { outcome: 'wrong' });
  assert.deepEqual(await check([user], 'who@example.test', 'open sesame'), { outcome: 'wrong' });
  assert.deepEqual(await check([user], '', ''), { outcome: 'wrong' });
});

test('an unknown name takes about as long as a wrong password', async () => {
  const check = createPasswordCheck(() => 0);
  const seconds = async (name: string) => {
    const elapsedMs = stopwatch();
    for (let count = 0; count < 3; count++) await check([user], name, 'wrong');
    return elapsedMs();
  };
  await seconds('app@example.test');
  const ratio = (await seconds('who@example.test')) / (await seconds('app@example.test'));
  assert.ok(ratio > 0.3 && ratio < 3, `${ratio}`);
});

test('what was right is remembered for a while, but not beyond a change of password', async () => {
  let now = 0;
  const check = createPasswordCheck(() => now);
  await check([user], user.name, 'open sesame');
  const elapsedMs = stopwatch();
  for (let count = 0; count < 200; count++) await check([user], user.name, 'open sesame');
  assert.ok(elapsedMs() < 1_000, 'two hundred hashes take longer than that');
  const changed = { ...user, password: await hashPassword('something else') };
  assert.deepEqual(await check([changed], user.name, 'open sesame'), { outcome: 'wrong' });
  now = 300_000;
  assert.equal((await check([user], user.name, 'open sesame')).outcome, 'user');
});

test('more hashes than can be computed soon are not begun', async () => {
  const check = createPasswordCheck(() => 0);
  const outcomes = await Promise.all(Array.from({ length: 100 }, () => check([user], user.name, 'wrong')));
  const busy = outcomes.filter(({ outcome }) => outcome === 'busy').length;
  assert.equal(busy, 100 - 2 - 64);
});
