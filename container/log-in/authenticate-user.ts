// AUTH PLAIN, LOGIN and CRAM-MD5 (RFC 4954, RFC 4616, RFC 2195): from the lines of an exchange to a name and a password. CRAM-MD5
// is taken only if any password will do: only the form of its digest is checked.
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { type Step, say } from '#container/session/step.ts';
import { replies } from '#mail/smtp/replies.ts';
import type { Config } from '#pipeline/config/config.ts';

export type User = Config['users'][number];

/** What follows AUTH, and what to do with a name and a password once they are there. */
export type AuthExchange = {
  readonly argument: string;
  readonly check: (name: string, password: string) => Promise<Step>;
  /** If no password is compared with anything (capture mode): CRAM-MD5 is taken, and any name. */
  readonly unchecked?: {
    readonly hostname: string;
    readonly nowMs: number;
    readonly take: (name: string) => Step | Promise<Step>;
  };
};

/** Begins an exchange. */
export function beginAuth(exchange: AuthExchange): Step | Promise<Step> {
  const { argument, check, unchecked } = exchange;
  const [mechanism = '', initial, ...rest] = argument.split(/ +/).filter((word) => word !== '');
  if (rest.length > 0) return say(replies.syntaxError('AUTH mechanism [initial response]'));
  switch (mechanism.toUpperCase()) {
    case 'PLAIN':
      return initial === undefined ? ask('', (line) => plain(line, exchange)) : plain(initial, exchange);
    case 'LOGIN':
      return initial === undefined ? ask('VXNlcm5hbWU6', (line) => login(line, check)) : login(initial, check);
    case 'CRAM-MD5':
      if (unchecked === undefined) return say(replies.authUnknownMechanism);
      // The server speaks first (RFC 4954 §4).
      return initial === undefined ? askCramMd5(unchecked) : say(replies.authBadResponse);
    case '':
      return say(replies.syntaxError('AUTH mechanism [initial response]'));
    default:
      return say(replies.authUnknownMechanism);
  }
}

/** RFC 4616 §2: authorization identity, NUL, authentication identity, NUL, password. */
function plain(response: string, { check, unchecked }: AuthExchange): Step | Promise<Step> {
  const decoded = decode(response);
  if (typeof decoded !== 'string') return decoded;
  const [identity = '', name = '', password, ...rest] = decoded.split('\0');
  if (password === undefined || rest.length > 0) return say(replies.authBadResponse);
  if (unchecked !== undefined) return unchecked.take(name);
  if (name === '') return say(replies.authBadResponse);
  // To act for somebody else is not offered; to name oneself twice is common.
  if (identity !== '' && identity.toLowerCase() !== name.toLowerCase()) return say(replies.authFailed);
  return check(name, password);
}

function login(response: string, check: AuthExchange['check']): Step {
  const name = decode(response);
  if (typeof name !== 'string') return name;
  return ask('UGFzc3dvcmQ6', (line) => {
    const password = decode(line);
    return typeof password === 'string' ? check(name, password) : password;
  });
}

function ask(challenge: string, next: (line: string) => Step | Promise<Step>): Step {
  return { step: 'prompt', reply: replies.authChallenge(challenge), next };
}

/** Base64 to text; `=` alone is an empty response, `*` gives up (RFC 4954 §4). */
function decode(response: string): string | Step {
  if (response === '*') return say(replies.authCancelled);
  if (response === '=' || response === '') return '';
  const isBase64 = response.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(response);
  return isBase64 ? Buffer.from(response, 'base64').toString('utf8') : say(replies.authBadBase64);
}

/** RFC 2195 §2: the answer is a name and a digest. */
function askCramMd5({ hostname, nowMs, take }: NonNullable<AuthExchange['unchecked']>): Step {
  const challenge = `<${randomBytes(8).toString('hex')}.${nowMs}@${hostname}>`;
  return ask(Buffer.from(challenge).toString('base64'), (line) => {
    const answer = decode(line);
    if (typeof answer !== 'string') return answer;
    const [, name] = /^(.*) [0-9a-f]{32}$/is.exec(answer) ?? [];
    return name === undefined ? say(replies.authBadResponse) : take(name);
  });
}

/** Waits before an answer, so that guessing takes long. */
export function pause(milliseconds: number): Promise<void> | undefined {
  return milliseconds > 0 ? wait(milliseconds, undefined, { ref: false }) : undefined;
}
