// Checks the server's certificate: its host name, its key, and how long it is valid.
import { createPublicKey, X509Certificate } from 'node:crypto';
import type { ConfigPlace } from '#cli/config/config-place.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { Secrets } from '#pipeline/contract/ports.ts';
import { advice, type Finding, type Mend, missing, ok, unread } from './finding.ts';

const adviceDays = 14;

type CertificateCheck = {
  readonly config: Pick<Config, 'tls' | 'hostname'>;
  readonly secrets: Secrets;
  readonly nowMs: number;
  readonly stack: Pick<NonNullable<ConfigPlace['stack']>, 'name'> | null;
};

export async function checkCertificate({ config, secrets, nowMs, stack }: CertificateCheck): Promise<Finding> {
  const { tls, hostname } = config;
  const mend = stack === null ? ofFile(config) : ofDeployment(stack.name);
  if (tls === null) {
    const what = 'no certificate is configured (tls): one is made by the server itself, which few peers trust';
    return advice(what, mend);
  }
  try {
    const certificate = new X509Certificate(await secrets.read(tls.certificate));
    return judge(certificate, { hostname, nowMs, key: await secrets.read(tls.key), mend });
  } catch (thrown) {
    return unread('the certificate cannot be used', thrown, mend);
  }
}

/** Let's Encrypt's, by certbot, which needs port 80 for a moment. */
function ofFile({ tls, hostname }: CertificateCheck['config']): Mend {
  const folder = `/etc/letsencrypt/live/${hostname}`;
  const written = `"tls": { "certificate": "file:${folder}/fullchain.pem", "key": "file:${folder}/privkey.pem" }`;
  return {
    run: [`certbot certonly --standalone --domain ${hostname}`],
    hint:
      tls === null
        ? `Or get one for ${hostname} elsewhere. Then write ${written}.`
        : `Or get one for ${hostname} elsewhere, and put chain and key where ${tls.certificate} and ${tls.key} say. It is taken without a restart.`,
  };
}

function ofDeployment(stack: string): Mend {
  const put = (name: string, file: string): string =>
    `aws secretsmanager put-secret-value --secret-id ${stack}/${name} --secret-string file://${file}`;
  return {
    run: [put('tls-key', 'key.pem'), put('tls-certificate', 'chain.pem')],
    hint: 'It is taken within five minutes. Or deploy with the option certificate: acm, and AWS gets one and renews it.',
  };
}

type Judged = { readonly hostname: string; readonly nowMs: number; readonly key: string; readonly mend: Mend };

function judge(certificate: X509Certificate, { hostname, nowMs, key, mend }: Judged): Finding {
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const days = Math.floor((Date.parse(certificate.validTo) - nowMs) / 86_400_000);
  if (!certificate.publicKey.export({ type: 'spki', format: 'der' }).equals(publicKey)) {
    return missing('the key does not belong to the certificate', mend);
  }
  if (days < 0) return missing(`the certificate ended on ${certificate.validTo}`, mend);
  if (certificate.checkHost(hostname) === undefined) return missing(`the certificate is not for ${hostname}`, mend);
  const says = `the certificate is for ${hostname} and good for ${days} days`;
  return days < adviceDays ? advice(says, mend) : ok(says);
}
