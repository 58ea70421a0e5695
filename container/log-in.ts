// AUTH in a session: when it may come, what a failure costs, who one is afterwards.
import { replies } from '#mail/replies.ts';
import type { Config } from '#pipeline/config.ts';
import type { Secrets } from '#pipeline/ports.ts';
import { beginAuth, pause } from './authenticate-user.ts';
import type { SessionState } from './session-state.ts';
import { type Step, say, sayAndClose } from './wire.ts';

/** AUTH where it is offered at all (RFC 4954 §4). */
export function takeAuth(state: SessionState, argument: string): Step | Promise<Step> {
  if (state.helo === null) return say(replies.heloFirst);
  if (state.tls === null) return say(replies.authNeedsTls);
  if (state.user !== null) return say(replies.authAlready);
  if (state.transaction !== null) return say(replies.authInTransaction);
  return beginAuth({ argument, check: (name, password) => logIn(state, name, password) });
}

async function logIn(state: SessionState, name: string, password: string): Promise<Step> {
  const { deps, failures, checkPassword } = state.shared;
  const { group, ip } = state.wire.peer;
  await pause(failures.delayMs(group));
  state.config = await deps.config.current();
  const { users, mode, limits } = state.config;
  if (mode === 'capture' && users.length === 0) {
    // Nothing leaves this machine in capture mode, and nobody is set up: any name will do for trying things out.
    state.user = { name, password: '', mayFrom: ['*@*'] };
    return say(replies.authOk);
  }
  const logIn = await checkPassword(await withHash(users, name, deps.secrets), name, password);
  if (logIn.outcome === 'busy') return say(replies.authTemporaryFailure);
  if (logIn.outcome === 'user') {
    state.user = logIn.user;
    failures.succeeded(group);
    return say(replies.authOk);
  }
  failures.failed(group);
  state.authFailures += 1;
  deps.metrics.count('authentication-failures');
  deps.log.warn('auth-failed', { clientIp: ip, user: name.slice(0, 254) });
  return state.authFailures >= limits.authFailures ? sayAndClose(replies.authTooManyFailures) : say(replies.authFailed);
}

/** The users, with the hash of this one read where the configuration only says where it is kept. */
function withHash(users: Config['users'], name: string, secrets: Secrets): Promise<Config['users']> {
  return Promise.all(
    users.map(async (user) => {
      const isMeant = user.name.toLowerCase() === name.toLowerCase();
      if (!isMeant || user.password.startsWith('scrypt:')) return user;
      return { ...user, password: await secrets.read(user.password) };
    }),
  );
}
