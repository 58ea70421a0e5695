// Password hashes: scrypt (RFC 7914) with its parameters beside it, so that they can grow with time.
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';

/**
 * OWASP's Password Storage Cheat Sheet (2026): any of these takes an attacker as long. The first is what new hashes cost:
 * 128 MiB, and a third of a second of a processor.
 */
const costs = [
  { N: 131_072, r: 8, p: 1 },
  { N: 65_536, r: 8, p: 2 },
  { N: 32_768, r: 8, p: 3 },
  { N: 16_384, r: 8, p: 5 },
  { N: 8_192, r: 8, p: 10 },
] as const;
const cost = costs[0];
/** What hashing one password takes of memory while it lasts. */
export const hashMemoryBytes = 128 * cost.N * cost.r;
const saltBytes = 16;
const hashBytes = 32;
const maxMemoryBytes = 268_435_456;

/** Hashes a password with a new salt: `scrypt:<N>:<r>:<p>:<salt base64>:<hash base64>`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(saltBytes);
  const hash = await derive(password, salt, hashBytes, cost);
  return `scrypt:${cost.N}:${cost.r}:${cost.p}:${salt.toString('base64')}:${hash.toString('base64')}`;
}

/** Compares in constant time. False also if `stored` is no such hash, or asks for more work than a log-in may cost. */
export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const parsed = parseHash(stored);
  if (parsed === null) return false;
  const hash = await derive(password, parsed.salt, parsed.hash.length, parsed.cost);
  return timingSafeEqual(hash, parsed.hash);
}

export function isPasswordHash(text: string): boolean {
  return parseHash(text) !== null;
}

/** Whether a hash costs an attacker less than one made today; true also for a text that is no hash. */
export function isOldHash(stored: string): boolean {
  const parsed = parseHash(stored);
  if (parsed === null) return true;
  return !costs.some(({ N, r, p }) => parsed.cost.N >= N && parsed.cost.r >= r && parsed.cost.p >= p);
}

/** No password matches it; the check takes as long as one of a hash made today. */
export const nobodysHash = `scrypt:${cost.N}:${cost.r}:${cost.p}:${'A'.repeat(22)}==:${'A'.repeat(43)}=`;

type Cost = { readonly N: number; readonly r: number; readonly p: number };

function parseHash(stored: string): { cost: Cost; salt: Buffer; hash: Buffer } | null {
  const match = /^scrypt:(\d{1,7}):(\d{1,2}):(\d{1,2}):([A-Za-z0-9+/]+=*):([A-Za-z0-9+/]+=*)$/.exec(stored);
  if (match === null) return null;
  const [, N, r, p, salt = '', hash = ''] = match;
  const parsed = {
    cost: { N: Number(N), r: Number(r), p: Number(p) },
    salt: Buffer.from(salt, 'base64'),
    hash: Buffer.from(hash, 'base64'),
  };
  const isPowerOfTwo = parsed.cost.N > 1 && Number.isInteger(Math.log2(parsed.cost.N));
  const isAffordable = 128 * parsed.cost.N * parsed.cost.r < maxMemoryBytes && parsed.cost.p <= 16;
  const isWhole = parsed.cost.r > 0 && parsed.cost.p > 0 && parsed.hash.length >= 16 && parsed.hash.length <= 128;
  return isPowerOfTwo && isAffordable && isWhole ? parsed : null;
}

function derive(password: string, salt: Buffer, length: number, { N, r, p }: Cost): Promise<Buffer> {
  const options: ScryptOptions = { N, r, p, maxmem: maxMemoryBytes + 1_048_576 };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, length, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}
