// Checks the server's certificate: its host name, its key, and how long it is valid.
import { createPublicKey, X509Certificate } from 'node:crypto';
import type { Config } from '#pipeline/config/config.ts';
import type { Secrets } from '#pipeline/contract/ports.ts';
import { advice, type Finding, missing, ok, unread } from './finding.ts';

const adviceDays = 14;

export async function checkCertificate({ tls, hostname }: Config, secrets: Secrets, nowMs: number): Promise<Finding> {
  if (tls === null) {
    return advice('no certificate is configured (tls): one is made by the server itself, which few peers trust');
  }
  try {
    const certificate = new X509Certificate(await secrets.read(tls.certificate));
    return judge(certificate, { hostname, nowMs, key: await secrets.read(tls.key) });
  } catch (thrown) {
    return unread('the certificate cannot be used', thrown);
  }
}

function judge(
  certificate: X509Certificate,
  { hostname, nowMs, key }: { readonly hostname: string; readonly nowMs: number; readonly key: string },
): Finding {
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const days = Math.floor((Date.parse(certificate.validTo) - nowMs) / 86_400_000);
  if (!certificate.publicKey.export({ type: 'spki', format: 'der' }).equals(publicKey)) {
    return missing('the key does not belong to the certificate');
  }
  if (days < 0) return missing(`the certificate ended on ${certificate.validTo}`);
  if (certificate.checkHost(hostname) === undefined) return missing(`the certificate is not for ${hostname}`);
  const found = days < adviceDays ? advice : ok;
  return found(`the certificate is for ${hostname} and good for ${days} days`);
}
