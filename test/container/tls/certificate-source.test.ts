import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { createCertificateSource, makeSelfSigned } from '#container/tls/certificate.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';

const tls = { certificate: 'secret:tls-certificate', key: 'secret:tls-key' };
const clock = setClock();

function source(input: Parameters<typeof fixedConfig>[0] = { hostname: 'mx.example.test', tls }) {
  const secrets = new Map<string, string>();
  const log = silentLog();
  const read = async (reference: string) => secrets.get(reference) ?? Promise.reject(new Error(`no ${reference}`));
  return {
    ...createCertificateSource({ config: fixedConfig(input), secrets: { read }, clock, log }),
    log,
    put: (certificate: string, key: string) => secrets.set(tls.certificate, certificate).set(tls.key, key),
  };
}

test('before the secrets hold PEM texts the certificate is a self-signed one, said once, and 0 days are left', async () => {
  const { certificate, daysLeft, problem, log, put } = source();
  put('Yf2mqkXl0aTz', 'qW7sR1');
  const { certificate: shown, key } = await certificate();
  assert.equal(new X509Certificate(shown).checkHost('mx.example.test'), 'mx.example.test');
  assert.match(key, /PRIVATE KEY/);
  assert.deepEqual(await certificate(), { certificate: shown, key });
  assert.equal(daysLeft(), 0);
  assert.equal(
    problem(),
    'the TLS certificate cannot be used, so a self-signed one is shown: the certificate is no PEM text',
  );
  const [warning, ...more] = log.of('certificate-not-usable');
  assert.equal(warning?.fields['reason'], 'the certificate is no PEM text');
  assert.equal(warning?.fields['shows'], 'a self-signed one');
  assert.deepEqual(more, []);
});

test('a real certificate is taken as soon as the secrets hold it, and its days are counted', async () => {
  const { certificate, daysLeft, log, put } = source();
  await certificate();
  assert.equal(log.of('certificate-not-usable')[0]?.fields['reason'], 'no secret:tls-certificate');
  const real = await makeSelfSigned('mx.example.test', clock());
  put(real.certificate, real.key);
  assert.deepEqual(await certificate(), real);
  assert.ok(Math.abs(daysLeft()! - 3_652) < 2, `${daysLeft()} days`);
});

test('half of a renewal (the new certificate with the old key) leaves the last good one in place', async () => {
  const { certificate, log, put } = source();
  const [old, renewed] = [await makeSelfSigned('a.test', clock()), await makeSelfSigned('a.test', clock())];
  put(old.certificate, old.key);
  await certificate();
  put(renewed.certificate, old.key);
  assert.deepEqual(await certificate(), old);
  const [warning] = log.of('certificate-not-usable');
  assert.equal(warning?.fields['reason'], 'the private key is not that of the certificate');
  assert.equal(warning?.fields['shows'], 'the last good one');
  put(renewed.certificate, renewed.key);
  assert.deepEqual(await certificate(), renewed);
});

test('a configuration without "tls" gets a self-signed certificate and no count of days', async () => {
  const { certificate, daysLeft, log } = source({ hostname: 'mx.example.test' });
  assert.match((await certificate()).certificate, /BEGIN CERTIFICATE/);
  assert.equal(daysLeft(), null);
  assert.equal(log.of('certificate-not-usable')[0]?.fields['reason'], 'the configuration has no "tls"');
});
