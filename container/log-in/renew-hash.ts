// Old hashes of passwords are renewed when their user logs in: only then the password is there to be hashed again.
import { LRUCache } from 'lru-cache';
import { trackedKeys } from '#container/limits/limits.ts';
import type { ListenerDeps } from '#container/listener-deps.ts';
import { errorMessage } from '#mail/problem.ts';
import { storedReference } from '#pipeline/config/stored-hashes.ts';
import type { User } from './authenticate-user.ts';

export type HashRenewal = {
  /** Puts a new hash in place of the configured one if that can be done, else says once that somebody should. */
  readonly renew: (user: User, renewed: string) => void;
  /** Says whether a hash was put in place of another by us, or only moved to where it is kept: the password is the same. */
  readonly isSamePassword: (before: string, after: string) => boolean;
};

/** Its tables are bounded. */
export function createHashRenewal({
  replaceHash,
  log,
  metrics,
}: Pick<ListenerDeps, 'replaceHash' | 'log' | 'metrics'>): HashRenewal {
  const renewedBy = new LRUCache<string, string>(trackedKeys);
  const logged = new LRUCache<string, true>(trackedKeys);
  const warn = (user: string, reason: string): void => {
    metrics.count('old-password-hashes');
    if (logged.has(user)) return;
    logged.set(user, true);
    const advice = 'give the user a hash of today: pillarbox user password NAME';
    log.warn('password-hash-old', { user, reason, advice });
  };
  return {
    renew({ name, password }, renewed) {
      if (replaceHash === undefined || !password.startsWith('scrypt:')) {
        warn(name, 'the hash is kept where it cannot be replaced from here');
        return;
      }
      const to = renewedBy.get(password) ?? renewed;
      renewedBy.set(password, to);
      replaceHash(password, to).then(
        (outcome) => {
          if (outcome === 'replaced') log.info('password-hash-renewed', { user: name });
        },
        (error: unknown) => warn(name, errorMessage(error)),
      );
    },
    isSamePassword: (before, after) =>
      before === after || renewedBy.get(before) === after || storedReference(before) === after,
  };
}
