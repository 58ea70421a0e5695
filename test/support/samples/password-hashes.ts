// Hashes of passwords: one made once and for all, since each takes a third of a second of a processor, and such as were made before.
import { randomBytes, scryptSync } from 'node:crypto';

/** `open sesame`, as hashPassword hashes it today (test/pipeline/config/password.test.ts says when that is no longer so). */
export const openSesameHash = 'scrypt:131072:8:1:HY2CQgZIAvHsxHISQOrivg==:wu42sZxyFYh+yKHgC4jhnDOXktROhipk+M26taXiMVQ=';

/** Hashes a password at the cost of before 2026-11: N = 16,384. */
export function oldHash(password: string): string {
  const salt = randomBytes(16);
  return `scrypt:16384:8:1:${salt.toString('base64')}:${scryptSync(password, salt, 32, { N: 16_384, r: 8, p: 1 }).toString('base64')}`;
}
