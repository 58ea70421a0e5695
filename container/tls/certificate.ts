// The certificate of the listener. The container shows the configured one; if that cannot be used, the last good one; before there
// was any, a self-signed one. A renewed one is taken into use without a restart. Mail goes on in all cases; log and metric say
// which certificate is shown.
import { createPrivateKey, generateKeyPair, randomBytes, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import type { ListenerDeps } from '#container/listener-deps.ts';
import type { Certificate } from '#container/session/protocol-options.ts';
import { errorMessage } from '#mail/problem.ts';
import type { ConfigSource } from '#pipeline/config/config.ts';
import type { Clock, Log, Secrets } from '#pipeline/contract/ports.ts';
import { selfSigned } from './self-signed.ts';

export type CertificateSource = {
  /** The certificate to show now. Rejects only where there is no configuration. */
  readonly certificate: () => Promise<Certificate>;
  /**
   * Days until the configured certificate ends (fractions too, below zero after it), 0 while there is none that can be
   * used; null where the configuration wants none.
   */
  readonly daysLeft: () => number | null;
  /** Why the configured certificate is not the one that is shown, as a sentence; null where it is, or none is configured. */
  readonly problem: () => string | null;
};

type Usable = { readonly pair: Certificate; readonly endsAt: number };

/** What is wrong is logged once, and again when it changes. */
export function createCertificateSource({
  config,
  secrets,
  clock,
  log,
}: {
  readonly config: ConfigSource;
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly log: Log;
}): CertificateSource {
  let good: Usable | null = null;
  let own: Promise<Certificate> | null = null;
  let isWanted = false;
  let complained = '';
  const shown = (): string => (good === null ? 'a self-signed one' : 'the last good one');
  const instead = (hostname: string, reason: string, fields = {}): Promise<Certificate> => {
    if (reason !== complained) log.warn('certificate-not-usable', { hostname, reason, shows: shown(), ...fields });
    complained = reason;
    if (good !== null) return Promise.resolve(good.pair);
    own ??= makeSelfSigned(hostname, clock());
    return own;
  };
  return {
    certificate: async () => {
      const { tls, hostname } = await config.current();
      isWanted = tls !== null;
      if (tls === null) return instead(hostname, 'the configuration has no "tls"');
      try {
        const [certificate, key] = await Promise.all([secrets.read(tls.certificate), secrets.read(tls.key)]);
        good = usable({ certificate, key });
        complained = '';
        return good.pair;
      } catch (thrown) {
        const reason = errorMessage(thrown);
        return instead(hostname, reason, { certificate: tls.certificate, key: tls.key });
      }
    },
    problem: () =>
      isWanted && complained !== ''
        ? `the TLS certificate cannot be used, so ${shown()} is shown: ${complained}`
        : null,
    daysLeft: () => {
      if (!isWanted) return null;
      return good === null ? 0 : (good.endsAt - clock()) / 86_400_000;
    },
  };
}

/** Throws where the texts are no PEM (what a new secret holds is random), or the key is not the certificate's. */
function usable(pair: Certificate): Usable {
  if (!/-----BEGIN CERTIFICATE-----/.test(pair.certificate)) throw new Error('the certificate is no PEM text');
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pair.key)) throw new Error('the private key is no PEM text');
  const certificate = new X509Certificate(pair.certificate);
  if (!certificate.checkPrivateKey(createPrivateKey(pair.key))) {
    throw new Error('the private key is not that of the certificate');
  }
  return { pair, endsAt: certificate.validToDate.getTime() };
}

export type CertificateWatch = {
  /** What is wrong with the certificate, or with the new one, as a sentence, or null. */
  readonly problem: () => string | null;
  readonly stop: () => void;
};

type Watched = Pick<ListenerDeps, 'certificate' | 'onCertificateDays' | 'certificateSeconds' | 'clock' | 'log'> & {
  readonly current: Certificate;
  readonly use: (certificate: Certificate) => void;
};

/** Asks for the certificate now and then, and calls `use` if it changed. */
export function watchCertificate(options: Watched): CertificateWatch {
  const { certificate: ask, use, onCertificateDays, certificateSeconds = 60, clock, log } = options;
  let { current } = options;
  let unusable: string | null = null;
  const look = async (): Promise<void> => {
    const next = await ask();
    if (next.certificate !== current.certificate || next.key !== current.key) {
      const endsAt = endOf(next);
      if (endsAt <= clock() && endOf(current) > clock()) throw new Error(`the new one ended at ${timeText(endsAt)}`);
      use(next);
      current = next;
      log.info('certificate-renewed');
    }
    unusable = null;
  };
  const tell = (): void => {
    const days = (endOf(current) - clock()) / 86_400_000;
    if (Number.isFinite(days)) onCertificateDays?.(days);
  };
  const timer = setInterval(() => {
    look()
      .catch((error: unknown) => {
        const reason = errorMessage(error);
        if (reason !== unusable) log.warn('certificate-not-usable', { reason, shows: 'the last good one' });
        unusable = reason;
      })
      .finally(tell);
  }, certificateSeconds * 1_000);
  timer.unref();
  tell();
  return {
    problem: () => {
      const endsAt = endOf(current);
      const isOver = endsAt <= clock();
      if (isOver) return `the TLS certificate ended at ${timeText(endsAt)}${unusable === null ? '' : `; ${unusable}`}`;
      if (unusable === null) return null;
      return `the TLS certificate cannot be used, so the last good one is shown: ${unusable}`;
    },
    stop: () => clearInterval(timer),
  };
}

/** In milliseconds since 1970; infinity where the text does not say. */
function endOf({ certificate }: Certificate): number {
  try {
    return new X509Certificate(certificate).validToDate.getTime();
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function timeText(atMs: number): string {
  return new Date(atMs).toISOString();
}

const validYears = 10;

/** A new key and certificate (PEM both) for a host name, `localhost` and 127.0.0.1; good for ten years from `nowMs` on. */
export async function makeSelfSigned(hostname: string, nowMs: number): Promise<Certificate> {
  const until = new Date(nowMs);
  until.setUTCFullYear(until.getUTCFullYear() + validYears);
  const { privateKey: key } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  const serial = randomBytes(16);
  serial[0] = 0x40 | (serial.readUInt8(0) >> 2); // positive, and never shorter
  const certificate = selfSigned({
    names: hostname === 'localhost' ? ['localhost'] : [hostname, 'localhost'],
    addresses: ['127.0.0.1'],
    from: new Date(nowMs - 86_400_000),
    until,
    serial,
    key,
  });
  return {
    certificate: new X509Certificate(certificate).toString().trim(),
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString().trim(),
  };
}
