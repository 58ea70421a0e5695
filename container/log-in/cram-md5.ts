// AUTH CRAM-MD5 (RFC 2195) where any password will do: the digest is looked at as far as its form goes.
import { randomBytes } from 'node:crypto';
import { type Step, say } from '#container/session/wire.ts';
import { replies } from '#mail/smtp/replies.ts';

/** Asks for the digest; `take` gets the name in the answer. `decode`: an answer as text, or what to say instead. */
export function askCramMd5(exchange: {
  readonly hostname: string;
  readonly nowMs: number;
  readonly decode: (answer: string) => string | Step;
  readonly take: (name: string) => Step | Promise<Step>;
}): Step {
  const { hostname, nowMs, decode, take } = exchange;
  const challenge = `<${randomBytes(8).toString('hex')}.${nowMs}@${hostname}>`;
  return {
    step: 'prompt',
    reply: replies.authChallenge(Buffer.from(challenge).toString('base64')),
    next: (line) => {
      const answer = decode(line);
      if (typeof answer !== 'string') return answer;
      const [, name] = /^(.*) [0-9a-f]{32}$/is.exec(answer) ?? [];
      return name === undefined ? say(replies.authBadResponse) : take(name);
    },
  };
}
