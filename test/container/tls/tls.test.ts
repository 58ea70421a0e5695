import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { generate } from 'selfsigned';
import { makeSelfSigned } from '#container/tls/certificate.ts';
import { until } from '#test/support/time/until.ts';
import {
  openSession,
  rawClient,
  startTestListener,
  testCertificate,
  testConfig,
} from '#test/support/worlds/start-test-listener.ts';

test('what is sent in clear behind STARTTLS is not obeyed after the handshake (RFC 3207, command injection)', async (t) => {
  const { port, intake } = await startTestListener(t);
  const client = await openSession(t, { port });
  await client.say('MAIL FROM:<clear@sender.test>');
  assert.equal(
    await client.say('STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<evil@evil.test>\r\nNOOP'),
    '220 2.0.0 Begin TLS',
  );
  await client.startTls();
  assert.match(await client.say('RCPT TO:<support@example.test>'), /^503/);
  assert.match(await client.say('MAIL FROM:<a@sender.test>'), /^503/); // EHLO is forgotten too
  await client.say('EHLO client.test');
  client.write('MAIL FROM:<a@sender.test>\r\nRCPT TO:<support@example.test>\r\nDATA\r\nhi\r\n.\r\n');
  for (let replies = 0; replies < 3; replies++) await client.reply();
  assert.match((await client.reply()) ?? '', /^250 2\.6\.0/);
  assert.match(intake.messages[0]?.raw.toString() ?? '', /with\s+ESMTPS\s/);
});

test('TLS 1.1 is not spoken', async (t) => {
  const { port } = await startTestListener(t);
  const error = await new Promise((resolve) => {
    const options = {
      port: port('submissions'),
      rejectUnauthorized: false,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    } as const;
    connectTls(options, () => resolve(null)).once('error', resolve);
  });
  assert.notEqual(error, null);
});

test('a client cannot ask for one handshake after another (TLS 1.2 renegotiation)', async (t) => {
  const { port } = await startTestListener(t);
  const socket = await new Promise<TLSSocket>((resolve, reject) => {
    const options = { port: port('submissions'), rejectUnauthorized: false, maxVersion: 'TLSv1.2' } as const;
    const secure = connectTls(options, () => resolve(secure)).once('error', reject);
  });
  t.after(() => socket.destroy());
  const error = await new Promise<Error | null>((resolve) => {
    socket.once('error', resolve);
    socket.renegotiate({}, resolve);
  });
  assert.match(error?.message ?? '', /no renegotiation/);
});

test('a renewed certificate is taken into use for STARTTLS and 465 without a restart; of one that is broken, unreadable or ended health tells, and the last good one stays', async (t) => {
  const renewed = await generate([{ name: 'commonName', value: 'new.example.test' }], { keySize: 2048 });
  const day = 86_400_000;
  let current = async () => testCertificate;
  let now = Date.now();
  const old = await makeSelfSigned('old.example.test', now - 10_000 * day);
  const days: number[] = [];
  const { port, log, listener } = await startTestListener(t, testConfig, {
    certificate: () => current(),
    certificateSeconds: 0.02,
    clock: () => now,
    onCertificateDays: (left) => void days.push(left),
  });
  const { problems } = listener.health();
  assert.deepEqual(problems, []);
  assert.ok((days[0] ?? 0) > 300);
  const broken: readonly [() => Promise<typeof testCertificate>, RegExp][] = [
    [async () => ({ certificate: 'broken', key: 'broken' }), /so the last good one is shown: /],
    [() => Promise.reject(new Error('ENOENT: no such file, tls.pem')), /shown: ENOENT: no such file, tls\.pem$/],
    [async () => old, /shown: the new one ended at /],
  ];
  for (const [give, problem] of broken) {
    current = give;
    await until(() => problem.test(listener.health().problems.join()), String(problem));
    assert.equal(await subjectOf(port('submissions')), 'CN=mx.example.test');
  }
  assert.equal(log.of('certificate-not-usable').length, broken.length, 'each is told once');
  current = async () => testCertificate;
  await until(() => listener.health().problems.length === 0, 'all is well again');
  now += 400 * day;
  await until(() => (days.at(-1) ?? 1) < 0, 'days below zero');
  assert.match(listener.health().problems.join(), /^the TLS certificate ended at 20/);
  now -= 400 * day;
  current = async () => ({ certificate: renewed.cert, key: renewed.private });
  await until(() => log.of('certificate-renewed').length > 0, 'renewal');
  assert.equal(await subjectOf(port('submissions')), 'CN=new.example.test');
  const client = rawClient(port('mx'));
  t.after(client.close);
  await client.reply();
  await client.say('STARTTLS');
  assert.equal(subject(await client.startTls()), 'CN=new.example.test');
});

test('a failed handshake ends that connection and nothing else', async (t) => {
  const { port, listener } = await startTestListener(t);
  const client = rawClient(port('mx'));
  await client.reply();
  await client.say('STARTTLS');
  client.write('this is no handshake\r\n');
  const other = rawClient(port('submissions'));
  other.write('neither is this\r\n');
  await until(() => listener.health().connections === 0, 'both gone');
  assert.equal(await subjectOf(port('submissions')), 'CN=mx.example.test');
});

function subject(socket: TLSSocket): string {
  const certificate = socket.getPeerX509Certificate();
  return certificate instanceof X509Certificate ? certificate.subject : '';
}

function subjectOf(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, rejectUnauthorized: false }, () => {
      resolve(subject(socket));
      socket.destroy();
    });
    socket.once('error', reject);
  });
}
