// A renewed certificate is taken into use without a restart; one that cannot be used is reported, and the old one kept.
import type { Log } from '#pipeline/ports.ts';
import type { Certificate } from './protocol-options.ts';

/** Asks for the certificate every `seconds` and hands on what has changed. Answers what ends it. */
export function watchCertificate(options: {
  readonly current: Certificate;
  readonly ask: () => Promise<Certificate>;
  readonly use: (certificate: Certificate) => void;
  readonly seconds: number;
  readonly log: Log;
}): () => void {
  const { ask, use, seconds, log } = options;
  let { current } = options;
  const look = async () => {
    const next = await ask();
    if (next.certificate === current.certificate && next.key === current.key) return;
    use(next);
    current = next;
    log.info('certificate-renewed');
  };
  const timer = setInterval(() => {
    look().catch((error: unknown) => {
      log.error('certificate-unusable', { error: error instanceof Error ? error.message : String(error) });
    });
  }, seconds * 1_000);
  timer.unref();
  return () => clearInterval(timer);
}
