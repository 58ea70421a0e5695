// A policy file is a stranger's text of 64 KiB.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStsPolicy } from '#functions/deliver/mta-sts.ts';

test('a policy with spaces around its values is read (RFC 8461 §3.2)', () => {
  const text = 'version: STSv1 \r\nmode:\tenforce\t\r\nmx : mx.a.example. \r\nmax_age:86400\r\n';
  assert.deepEqual(parseStsPolicy(text), { policy: { mode: 'enforce', mx: ['mx.a.example'] }, maxAgeSeconds: 86_400 });
});

test('a policy made of spaces takes no time', () => {
  const before = process.cpuUsage();
  assert.equal(parseStsPolicy(`mx: x${' '.repeat(65_000)}x`), null);
  assert.ok(process.cpuUsage(before).user < 500_000);
});
