// The certificate the listener shows: the configured one, or a self-signed one made at the first start and kept in the
// data folder. Asked for again and again, it notices when files change, so a renewed certificate needs no restart.
import { X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Certificate } from '#container/session/protocol-options.ts';
import { makeSelfSigned } from '#container/tls/certificate.ts';
import type { ConfigSource } from '#pipeline/config/config.ts';
import type { Clock, Secrets } from '#pipeline/contract/ports.ts';

const renewBeforeMs = 30 * 86_400_000;

/** The listener's `certificate` function. Rejects where the configured one cannot be read. */
export function certificateSource(deps: {
  readonly config: ConfigSource;
  readonly secrets: Secrets;
  readonly folder: string;
  readonly clock: Clock;
}): () => Promise<Certificate> {
  let making: Promise<Certificate> | null = null;
  return async () => {
    const { tls, hostname } = await deps.config.current();
    if (tls !== null) {
      const [certificate, key] = await Promise.all([deps.secrets.read(tls.certificate), deps.secrets.read(tls.key)]);
      return { certificate, key };
    }
    making ??= ownCertificate(deps.folder, hostname, deps.clock()).finally(() => {
      making = null;
    });
    return making;
  };
}

/** The one kept in the folder, where it is for this name and still good; otherwise a new one, kept from now on. */
async function ownCertificate(folder: string, hostname: string, now: number): Promise<Certificate> {
  const path = join(folder, 'self-signed.pem');
  const kept = await readKept(path);
  if (kept !== null && isUsable(kept.certificate, hostname, now)) return kept;
  const made = await makeSelfSigned(hostname, now);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(`${path}.part`, `${made.key}\n${made.certificate}\n`, { mode: 0o600, flush: true });
  await rename(`${path}.part`, path);
  return made;
}

async function readKept(path: string): Promise<Certificate | null> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const key = /-----BEGIN (?:RSA |EC )?PRIVATE KEY-----[\s\S]+?-----END (?:RSA |EC )?PRIVATE KEY-----/.exec(text)?.[0];
  const certificate = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/.exec(text)?.[0];
  return key === undefined || certificate === undefined ? null : { certificate, key };
}

function isUsable(certificate: string, hostname: string, now: number): boolean {
  try {
    const parsed = new X509Certificate(certificate);
    return parsed.checkHost(hostname) !== undefined && parsed.validToDate.getTime() - renewBeforeMs > now;
  } catch {
    return false;
  }
}
