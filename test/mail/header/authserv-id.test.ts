// Whose verdict an Authentication-Results field claims to be (RFC 8601 §2.2).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { authservId, claimsToJudge } from '#mail/header/authserv-id.ts';
import { findPeer } from '#test/support/peers/peers.ts';

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

const disguised = [
  { name: 'Authentication-Results', value: '=?utf-8?q?mx.example.test?=; dmarc=pass' },
  { name: 'Authentication-Results', value: '=?utf-8?q?mx.example.test=3B_dmarc=3Dpass?=' },
  { name: 'Authentication-Results', value: 'mx.ex\u00adample.test; dmarc=pass' },
  { name: 'ARC-Authentication-Results', value: 'i=1; ｍｘ.example.test; dmarc=pass' },
  { name: 'Received-SPF', value: 'pass (mx。example。test: fine)' },
];
for (const field of disguised) {
  test(`${field.name}: ${JSON.stringify(field.value)} claims to be by mx.example.test`, () =>
    assert.equal(claimsToJudge(field, 'mx.example.test'), true));
}

test('whatever authres, another reader of RFC 8601, takes for the authserv-id is what is read here', (t) => {
  const python = findPeer('/usr/bin/python3');
  if (python === null || findPeer('/usr/lib/python3/dist-packages/authres') === null)
    return t.skip('authres is not here');
  const script = `import authres, json, sys
for value in json.load(sys.stdin):
    try: print(authres.AuthenticationResultsHeader.parse('Authentication-Results: ' + value).authserv_id)
    except Exception: print('')`;
  const values = [
    '(c) mx.example.test 1; none',
    '(a; (b) \\) c) MX.Example.Test ; none',
    'mx.example.test\r\n ; none',
  ].concat(fields.map(([value]) => value));
  const { stdout } = spawnSync(python, ['-c', script], { input: JSON.stringify(values), encoding: 'utf8' });
  const theirs = stdout.split('\n').slice(0, values.length);
  assert.ok(theirs.filter((id) => id !== '').length > 4, stdout);
  // It takes a slash for part of the name.
  const other = values.filter(
    (value, n) => theirs[n] !== '' && authservId(value) !== theirs[n]?.replace(/\/1$|\.$/, ''),
  );
  assert.deepEqual(other, []);
});
