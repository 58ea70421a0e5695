// A header may be as long as a message.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scanHeader } from '#functions/authenticate/judge/scan-header.ts';

test('a From field of a million lines is cut at its cap, in little time', () => {
  const scan = scanHeader();
  const before = process.cpuUsage();
  scan.push(Buffer.from('From: ann@sender.example\r\n'));
  for (let chunk = 0; chunk < 64; chunk++) scan.push(Buffer.from(' y\r\n'.repeat(16_384)));
  assert.ok(process.cpuUsage(before).user < 1_000_000);
  const [field] = scan.result().fields;
  assert.equal(field?.text.length, 32_768);
  assert.equal(field?.bytes, 26 + 64 * 65_536);
});
