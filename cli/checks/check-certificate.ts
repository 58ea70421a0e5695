// Checks the server's certificate: its host name, its key, and how long it is valid.
import { createPublicKey, X509Certificate } from 'node:crypto';
import type { Config } from '#pipeline/config/config.ts';
import type { Secrets } from '#pipeline/contract/ports.ts';
import type { Finding } from './finding.ts';

const adviceDays = 14;

export async function checkCertificate({ tls, hostname }: Config, secrets: Secrets, nowMs: number): Promise<Finding> {
  if (tls === null) {
    return {
      level: 'advice',
      what: 'no certificate is configured (tls): one is made by the server itself, which few peers trust',
    };
  }
  try {
    const certificate = new X509Certificate(await secrets.read(tls.certificate));
    return judge(certificate, { hostname, nowMs, key: await secrets.read(tls.key) });
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return { level: 'missing', what: `the certificate cannot be used: ${reason}` };
  }
}

function judge(
  certificate: X509Certificate,
  { hostname, nowMs, key }: { readonly hostname: string; readonly nowMs: number; readonly key: string },
): Finding {
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const days = Math.floor((Date.parse(certificate.validTo) - nowMs) / 86_400_000);
  if (!certificate.publicKey.export({ type: 'spki', format: 'der' }).equals(publicKey)) {
    return { level: 'missing', what: 'the key does not belong to the certificate' };
  }
  if (days < 0) return { level: 'missing', what: `the certificate ended on ${certificate.validTo}` };
  if (certificate.checkHost(hostname) === undefined) {
    return { level: 'missing', what: `the certificate is not for ${hostname}` };
  }
  const level = days < adviceDays ? 'advice' : 'ok';
  return { level, what: `the certificate is for ${hostname} and good for ${days} days` };
}
