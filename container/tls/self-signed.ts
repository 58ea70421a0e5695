// Makes a certificate that is signed by itself: good for opportunistic TLS, where nobody asks who signed it.
import { generate } from 'selfsigned';
import type { Certificate } from '#container/session/protocol-options.ts';

const validYears = 10;

/** A new key and certificate (PEM both) for a host name, `localhost` and 127.0.0.1; good for ten years from `nowMs` on. */
export async function makeSelfSigned(hostname: string, nowMs: number): Promise<Certificate> {
  const notAfterDate = new Date(nowMs);
  notAfterDate.setUTCFullYear(notAfterDate.getUTCFullYear() + validYears);
  const names = hostname === 'localhost' ? ['localhost'] : [hostname, 'localhost'];
  const altNames = [...names.map((value) => ({ type: 2, value }) as const), { type: 7, ip: '127.0.0.1' } as const];
  const made = await generate([{ name: 'commonName', value: hostname }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(nowMs - 86_400_000),
    notAfterDate,
    extensions: [{ name: 'subjectAltName', altNames }],
  });
  return { certificate: made.cert.trim(), key: made.private.trim() };
}
