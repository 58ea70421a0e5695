import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
// @ts-expect-error plain JavaScript, run by Lambda as it is
import { exportCertificate } from '#cdk/export-certificate/index.mjs';

const names = { certificateArn: 'arn:cert', certificateSecret: 'p/tls-certificate', keySecret: 'p/tls-key' };
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

function acm() {
  return {
    exportCertificate: async ({ Passphrase }: { Passphrase: Buffer }) => ({
      Certificate: 'CERT\n',
      CertificateChain: 'CHAIN\n',
      PrivateKey: privateKey.export({
        type: 'pkcs8',
        format: 'pem',
        cipher: 'aes-256-cbc',
        passphrase: Passphrase.toString(),
      }),
    }),
  };
}

function secrets(stored: Record<string, string>) {
  const written: string[] = [];
  return {
    written,
    getSecretValue: async ({ SecretId }: { SecretId: string }) => ({ SecretString: stored[SecretId] }),
    putSecretValue: async ({ SecretId, SecretString }: { SecretId: string; SecretString: string }) => {
      stored[SecretId] = SecretString;
      written.push(SecretId);
    },
  };
}

test('a renewed certificate is stored with its key in clear PEM, the key first', async () => {
  const stored = { 'p/tls-certificate': 'OLD', 'p/tls-key': 'OLD' };
  const port = secrets(stored);
  assert.equal(await exportCertificate({ acm: acm(), secrets: port, ...names }), 'stored');
  assert.equal(stored['p/tls-certificate'], 'CERT\nCHAIN\n');
  assert.match(stored['p/tls-key'], /^-----BEGIN PRIVATE KEY-----/);
  assert.deepEqual(port.written, ['p/tls-key', 'p/tls-certificate']);
});

test('a certificate that is already there is not written again', async () => {
  const port = secrets({ 'p/tls-certificate': 'CERT\nCHAIN\n', 'p/tls-key': 'KEY' });
  assert.equal(await exportCertificate({ acm: acm(), secrets: port, ...names }), 'unchanged');
  assert.deepEqual(port.written, []);
});
