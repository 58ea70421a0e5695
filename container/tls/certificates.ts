// A renewed certificate is taken into use without a restart; one that cannot be used is reported, and the last good one kept.
import { X509Certificate } from 'node:crypto';
import type { Certificate } from '#container/session/protocol-options.ts';
import type { Clock, Log } from '#pipeline/contract/ports.ts';

export type CertificateWatch = {
  /** What is wrong with the certificate, or with the one to come, as a sentence; null where all is well. */
  readonly problem: () => string | null;
  readonly stop: () => void;
};

/** Asks for the certificate every `seconds` and hands on what has changed. `onDaysLeft` hears each time how long the one shown is good. */
export function watchCertificate(options: {
  readonly current: Certificate;
  readonly ask: () => Promise<Certificate>;
  readonly use: (certificate: Certificate) => void;
  readonly onDaysLeft: (days: number) => void;
  readonly seconds: number;
  readonly clock: Clock;
  readonly log: Log;
}): CertificateWatch {
  const { ask, use, onDaysLeft, seconds, clock, log } = options;
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
    if (Number.isFinite(days)) onDaysLeft(days);
  };
  const timer = setInterval(() => {
    look()
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        if (reason !== unusable) log.error('certificate-unusable', { error: reason, shows: 'the last good one' });
        unusable = reason;
      })
      .finally(tell);
  }, seconds * 1_000);
  timer.unref();
  tell();
  return {
    problem: () => {
      const endsAt = endOf(current);
      if (endsAt <= clock())
        return `the TLS certificate ended at ${timeText(endsAt)}${unusable === null ? '' : `; ${unusable}`}`;
      return unusable === null
        ? null
        : `the TLS certificate cannot be used, so the last good one is shown: ${unusable}`;
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
