// Whether somebody who has logged in may go on: the configuration may have changed since (RFC 4954 says nothing of it; a
// password that was taken away must not work for as long as a session lasts).

import type { SessionState } from '#container/session/session-state.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { User } from './authenticate-user.ts';
import type { HashRenewal } from './renew-hash.ts';

/** Says whether a user is in the configuration as it was at the log-in: same password, same `mayFrom`. */
function isStillUser({ name, password, mayFrom }: User, config: Config, hashes: HashRenewal): boolean {
  if (password === '') return config.mode === 'capture'; // taken at their word
  return config.users.some(
    (user) => user.name === name && hashes.isSamePassword(password, user.password) && isSame(user.mayFrom, mayFrom),
  );
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((pattern, index) => pattern === others[index]);
}

/** Says whether whoever logged in to a session has lost the right to it. */
export function isDismissed({ user, shared }: Pick<SessionState, 'user' | 'shared'>, config: Config): boolean {
  return user !== null && !isStillUser(user, config, shared.hashes);
}
