// A hash as it was made before 2026-11: N = 16,384.
import { randomBytes, scryptSync } from 'node:crypto';

/** Hashes a password at the old cost. */
export function oldHash(password: string): string {
  const salt = randomBytes(16);
  return `scrypt:16384:8:1:${salt.toString('base64')}:${scryptSync(password, salt, 32, { N: 16_384, r: 8, p: 1 }).toString('base64')}`;
}
