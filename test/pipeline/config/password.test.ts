import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashPassword, isOldHash, verifyPassword } from '#pipeline/config/password.ts';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';

test('a password fits its own hash and no other does; each hash has its own salt', async () => {
  const [first, second] = [await hashPassword('open sesame'), await hashPassword('open sesame')];
  assert.match(first, /^scrypt:131072:8:1:[A-Za-z0-9+/]+=*:[A-Za-z0-9+/]+=*$/);
  assert.notEqual(first, second);
  assert.equal(await verifyPassword('open sesame', first), true);
  assert.equal(await verifyPassword('open sesame ', first), false);
  assert.equal(await verifyPassword('', first), false);
});

test('the hash that other tests share is one as they are made today', async () => {
  assert.equal(isOldHash(openSesameHash), false);
  assert.equal(await verifyPassword('open sesame', openSesameHash), true);
});

test('the same letters written in two ways of Unicode are the same password', async () => {
  assert.equal(await verifyPassword('caf\u0065\u0301', await hashPassword('caf\u00e9')), true);
});

for (const stored of [
  '',
  'plain',
  'scrypt:16384:8:1:AAAA',
  'scrypt:16383:8:1:AAAA:AAAAAAAAAAAAAAAAAAAAAA==',
  'scrypt:9999999:99:99:AAAA:AAAAAAAAAAAAAAAAAAAAAA==',
  'scrypt:2:0:1:AAAA:AAAAAAAAAAAAAAAAAAAAAA==',
]) {
  test(`${JSON.stringify(stored)} is a hash that nothing fits`, async () => {
    assert.equal(await verifyPassword('x', stored), false);
  });
}
