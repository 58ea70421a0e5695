// AUTH in a session: when it may come, what a failure costs, who one is afterwards, and whether one still is: a password that
// was taken away must not work for as long as a session lasts (RFC 4954 says nothing of it).

import { limitFor } from '#container/limits/limits.ts';
import type { SessionState } from '#container/session/session-state.ts';
import { type Step, say, sayAndClose } from '#container/session/step.ts';
import { replies } from '#mail/smtp/replies.ts';
import type { Reply } from '#mail/smtp/reply.ts';
import type { Config } from '#pipeline/config/config.ts';
import { type AuthExchange, beginAuth, pause, type User } from './authenticate-user.ts';
import type { LogIn } from './check-password.ts';
import { isLocalCapture, mechanismsFor } from './local-capture.ts';
import type { HashRenewal } from './renew-hash.ts';

const maxNameChars = 254; // of a name that was not proven, as it is recorded

/** Says whether there is a log-in on this port: not on one for mail from other servers (role mx), except in local capture. */
export function offersLogIn(state: SessionState): boolean {
  return state.shared.role !== 'mx' || isLocalCapture(state);
}

/** Says whether a password may come now: under TLS, or if nothing leaves this machine and nothing is kept from anybody. */
export function takesPasswords(state: SessionState): boolean {
  return state.tls !== null || isLocalCapture(state);
}

/** AUTH if it is offered at all (RFC 4954 §4). */
export function takeAuth(state: SessionState, argument: string): Step | Promise<Step> {
  if (state.helo === null) return say(replies.heloFirst);
  if (!takesPasswords(state)) return say(replies.authNeedsTls);
  if (state.user !== null) return say(replies.authAlready);
  if (state.transaction !== null) return say(replies.authInTransaction);
  return beginAuth({
    argument,
    check: (name, password) => logIn(state, name, password),
    ...(mechanismsFor(state).includes('CRAM-MD5') ? { unchecked: unchecked(state) } : {}),
  });
}

async function logIn(state: SessionState, name: string, password: string): Promise<Step> {
  const { deps, failures } = state.shared;
  const { group, ip } = state.client.peer;
  await pause(failures.delayMs(group));
  const config = await state.shared.config.latest();
  const { users, mode } = config;
  if (mode === 'capture' && users.length === 0) {
    // Nothing leaves this machine in capture mode, and nobody is set up: any name will do for trying things out.
    return welcomeUnproven(state, name);
  }
  const logIn = await judge(state, config, { name, password });
  switch (logIn.outcome) {
    case 'user':
      // As it is written in the configuration: that is what isDismissed looks at when it changes.
      state.user = users.find((user) => user.name === logIn.user.name) ?? logIn.user;
      if (logIn.renewed !== null) state.shared.hashes.renew(state.user, logIn.renewed);
      failures.succeeded(group);
      return say(replies.authOk);
    case 'busy':
    case 'no-hash':
      return say(replies.authTemporaryFailure);
    case 'too-many-guesses':
      deps.log.warn('auth-not-judged', {
        clientIp: ip,
        user: name.slice(0, maxNameChars),
        reason: 'limits.authFailuresPerUser',
      });
      return countFailure(state, replies.authTooManyGuesses);
    case 'wrong':
      failures.failed(group);
      deps.log.warn('auth-failed', { clientIp: ip, user: name.slice(0, maxNameChars) });
      return countFailure(state, replies.authFailed);
  }
}

/** If no password is compared with anything: what CRAM-MD5 needs, and who is welcome. */
function unchecked(state: SessionState): NonNullable<AuthExchange['unchecked']> {
  const { hostname } = state.config;
  return { hostname, nowMs: state.shared.deps.clock(), take: (name) => welcomeUnproven(state, name) };
}

function welcomeUnproven(state: SessionState, name: string): Step {
  state.user = { name: name.slice(0, maxNameChars), password: '', mayFrom: ['*@*'] };
  return say(replies.authOk);
}

/** Checks the password, if there is a guess left under that name, and a hash to check it against. */
async function judge(
  { shared, client: { peer } }: SessionState,
  { users, limits }: Config,
  { name, password }: { readonly name: string; readonly password: string },
): Promise<LogIn | { readonly outcome: 'too-many-guesses' | 'no-hash' }> {
  const { loginSecrets, guesses, checkPassword } = shared;
  const known = await loginSecrets.withHash(users, name);
  if (known === null) return { outcome: 'no-hash' };
  const guess = guesses.take(name, peer.group, limitFor(limits, 'authFailuresPerUser', peer));
  if (guess === null) return { outcome: 'too-many-guesses' };
  const asker = { group: peer.group, isKnown: guess.isKnown || peer.isLoopback };
  const logIn = await checkPassword(known, { name, password, ...asker });
  if (logIn.outcome === 'user') guess.right();
  if (logIn.outcome === 'busy') guess.unjudged();
  return logIn;
}

function countFailure(state: SessionState, reply: Reply): Step {
  state.authFailures += 1;
  state.shared.deps.metrics.count('authentication-failures');
  const isEnough = state.authFailures >= state.config.limits.authFailures;
  return isEnough ? sayAndClose(replies.authTooManyFailures) : say(reply);
}

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
