// Which certificate the container shows: the configured one; where that cannot be used (secrets not filled in yet, not
// readable, key of another certificate), the last good one; before there was any, one signed by itself. Mail goes on in
// all three cases, and log and metric say which it is.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Certificate } from '#container/session/protocol-options.ts';
import type { Clock, ConfigSource, Log, Secrets } from '#pipeline/contract/ports.ts';
import { makeSelfSigned } from './self-signed.ts';

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

/** Makes the source. What is wrong is logged once, and again when it changes. */
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
  const shown = (): string => (good === null ? 'one signed by itself' : 'the last good one');
  const instead = (hostname: string, reason: string, fields = {}): Promise<Certificate> => {
    const shows = shown();
    if (reason !== complained) log.warn('certificate-not-usable', { hostname, reason, shows, ...fields });
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
        const reason = thrown instanceof Error ? thrown.message : String(thrown);
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
