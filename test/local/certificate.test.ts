// The certificate: the configured one, or one's own, made once.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createSecureContext } from 'node:tls';
import { certificateSource } from '#local/certificate.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';

function sourceIn(t: TestContext, input: ConfigInput = {}) {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const config = fixedConfig({ hostname: 'mx.receiver.example', ...input });
  const clock = setClock();
  const values = new Map([
    ['file:c', 'CERTIFICATE'],
    ['file:k', 'KEY'],
  ]);
  const secrets = { read: async (reference: string) => values.get(reference) ?? '' };
  return { folder, config, clock, values, certificate: certificateSource({ folder, config, clock, secrets }) };
}

test('without a configured one, a self-signed one for the hostname is made once and kept', async (t) => {
  const { folder, certificate } = sourceIn(t);
  const [one, two] = await Promise.all([certificate(), certificate()]);
  assert.deepEqual(one, two);
  assert.deepEqual(await certificate(), one);
  const parsed = new X509Certificate(one.certificate);
  assert.equal(parsed.checkHost('mx.receiver.example'), 'mx.receiver.example');
  assert.equal(parsed.checkHost('localhost'), 'localhost');
  assert.equal(parsed.checkIP('127.0.0.1'), '127.0.0.1');
  createSecureContext({ cert: one.certificate, key: one.key });
  assert.equal(statSync(join(folder, 'self-signed.pem')).mode & 0o777, 0o600);
  assert.ok(readFileSync(join(folder, 'self-signed.pem'), 'utf8').includes(one.key));
});

test('a new one is made when the name changes, and in time before it expires', async (t) => {
  const { config, clock, certificate } = sourceIn(t);
  const first = await certificate();
  config.change({ hostname: 'other.example' });
  const second = await certificate();
  assert.notEqual(second.certificate, first.certificate);
  clock.advance(9.8 * 365 * 86_400_000);
  assert.deepEqual(await certificate(), second);
  clock.advance(0.15 * 365 * 86_400_000);
  assert.notEqual((await certificate()).certificate, second.certificate);
});

test('the configured one is read again each time', async (t) => {
  const { values, certificate } = sourceIn(t, { tls: { certificate: 'file:c', key: 'file:k' } });
  assert.deepEqual(await certificate(), { certificate: 'CERTIFICATE', key: 'KEY' });
  values.set('file:c', 'RENEWED');
  assert.deepEqual(await certificate(), { certificate: 'RENEWED', key: 'KEY' });
});
