// A name and a password against the configured users: the same time for a name that nobody has, for a user with an old
// hash and for one with a new; a short memory for what was right, so that clients that log in for each message are fast.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { hashPassword, isOldHash, nobodysHash, verifyPassword } from '#pipeline/config/password.ts';
import { boundedTable } from '#pipeline/run/bounded-table.ts';
import type { User } from './authenticate-user.ts';
import type { Asker, HashQueue } from './hash-queue.ts';

/**
 * What a log-in comes to; `busy`: too many hashes are being computed. `renewed`: a hash of the same password at today's cost, if
 * the one in the configuration is an old one.
 */
export type LogIn =
  | { readonly outcome: 'user'; readonly user: User; readonly renewed: string | null }
  | { readonly outcome: 'wrong' }
  | { readonly outcome: 'busy' };

export type Claim = Asker & { readonly name: string; readonly password: string };

export type PasswordCheck = (users: readonly User[], claim: Claim) => Promise<LogIn>;

type Verdict = { readonly isRight: boolean; readonly renewed: string | null };

const rememberMs = 300_000;
const maxRemembered = 10_000;

/** Checks a claim against the users of the configuration. `now`: milliseconds of a clock that never goes back. */
export function createPasswordCheck(now: () => number, queue: HashQueue): PasswordCheck {
  const key = randomBytes(32);
  const time = { ttl: rememberMs, ttlResolution: 0, perf: { now } };
  const remembered = new LRUCache<string, readonly Buffer[]>({ ...boundedTable(maxRemembered), ...time });
  /** Programs open many connections at once, each with the same log-in: it is hashed once for all of them. */
  const underWay = new Map<string, Promise<Verdict | 'busy'>>();
  const proofOf = (stored: string, password: string) =>
    createHmac('sha256', key).update(`${stored}\0${password}`).digest();

  return async (users, { name, password, ...asker }) => {
    const user = users.find((candidate) => candidate.name.toLowerCase() === name.toLowerCase());
    const stored = user?.password ?? nobodysHash;
    const proof = proofOf(stored, password);
    const known = user && remembered.get(user.name);
    if (user && known?.some((one) => timingSafeEqual(one, proof))) return { outcome: 'user', user, renewed: null };
    const same = `${name.toLowerCase()}\0${proof.toString('base64')}`;
    const asked =
      underWay.get(same) ?? queue.run(asker, () => hashAgainst(password, stored)).finally(() => underWay.delete(same));
    underWay.set(same, asked);
    const verdict = await asked;
    if (verdict === 'busy') return { outcome: 'busy' };
    if (user === undefined || !verdict.isRight) return { outcome: 'wrong' };
    const { renewed } = verdict;
    remembered.set(user.name, renewed === null ? [proof] : [proof, proofOf(renewed, password)]);
    return { outcome: 'user', user, renewed };
  };
}

/** An old hash is quick to check: a new one is computed whatever comes of it, so that the time tells nothing. */
async function hashAgainst(password: string, stored: string): Promise<Verdict> {
  const isRight = await verifyPassword(password, stored);
  const renewed = isOldHash(stored) ? await hashPassword(password) : null;
  return { isRight, renewed };
}
