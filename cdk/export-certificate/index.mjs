// The function that carries an exportable ACM certificate into the two secrets the listener reads: at each renewal,
// and once an hour for the first one, and in case an event went astray. It writes only when the certificate is another one.
import { createPrivateKey, randomBytes } from 'node:crypto';

/**
 * Exports the certificate and stores it, key first: a listener that sees the new key beside the old certificate finds
 * that they do not match and waits. Answers what it did.
 */
export async function exportCertificate({ acm, secrets, certificateArn, certificateSecret, keySecret }) {
  const passphrase = randomBytes(32).toString('hex');
  const exported = await acm.exportCertificate({ CertificateArn: certificateArn, Passphrase: Buffer.from(passphrase) });
  const chain = `${exported.Certificate.trim()}\n${(exported.CertificateChain ?? '').trim()}\n`;
  const known = await secrets.getSecretValue({ SecretId: certificateSecret });
  if (known.SecretString === chain) return 'unchanged';
  const key = createPrivateKey({ key: exported.PrivateKey, passphrase });
  await secrets.putSecretValue({ SecretId: keySecret, SecretString: key.export({ type: 'pkcs8', format: 'pem' }) });
  await secrets.putSecretValue({ SecretId: certificateSecret, SecretString: chain });
  return 'stored';
}

/** Lambda's entry: the clients come with the runtime. */
export async function handler() {
  const { ACM } = await import('@aws-sdk/client-acm');
  const { SecretsManager } = await import('@aws-sdk/client-secrets-manager');
  const outcome = await exportCertificate({
    acm: new ACM({}),
    secrets: new SecretsManager({}),
    certificateArn: process.env.CERTIFICATE_ARN,
    certificateSecret: process.env.CERTIFICATE_SECRET,
    keySecret: process.env.KEY_SECRET,
  });
  console.log(JSON.stringify({ event: 'certificate-export', outcome }));
}
