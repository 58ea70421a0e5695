// Whose verdict an Authentication-Results field claims to be (RFC 8601 §2.2).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authservId } from '#mail/header/authserv-id.ts';

const fields: readonly [value: string, id: string][] = [
  ['mx.example.test; spf=pass', 'mx.example.test'],
  ['MX.Example.Test. 1; none', 'mx.example.test'],
  [' (a (nested) comment) "mx.example.test"; spf=pass', 'mx.example.test'],
  ['mx.example.test/1; none', 'mx.example.test'],
  ['mx.sender.example; spf=pass (mx.example.test)', 'mx.sender.example'],
  ['"mx\\.example\\.test"; none', 'mx.example.test'],
  ['(a; b) (c \\) d) mx.example.test 1; none', 'mx.example.test'],
  ['(never closed mx.example.test; none', ''],
  ['; none', ''],
  ['', ''],
];
for (const [value, id] of fields) {
  test(`the authserv-id of ${JSON.stringify(value)} is ${JSON.stringify(id)}`, () =>
    assert.equal(authservId(value), id));
}
