// Sends many small messages over several connections and notes what became of each: for tests in which something breaks.
import { randomBytes } from 'node:crypto';
import { type RawSmtp, rawSmtp, sendRaw } from './raw-smtp.ts';

export type SentMany = {
  /** Subject → the id that the 250 named, so far. */
  readonly accepted: ReadonlyMap<string, string>;
  /** The replies of what was refused, so far. */
  readonly refused: readonly string[];
  /** When all are sent, or the server is gone. */
  readonly finished: Promise<void>;
};

/** Starts at once. A connection that the server ends is opened anew as long as `reconnects` holds out. */
export function sendMany(
  port: number,
  { connections, messages, reconnects = 0 }: { connections: number; messages: number; reconnects?: number },
): SentMany {
  const accepted = new Map<string, string>();
  const refused: string[] = [];
  const tag = randomBytes(4).toString('hex');
  let next = 0;
  let opens = connections + reconnects;
  const open = async (): Promise<RawSmtp> => {
    if (opens-- <= 0) throw new Error('the server is gone');
    const smtp = await rawSmtp(port);
    await smtp.command('EHLO mx.sender.example');
    return smtp;
  };
  const send = async (): Promise<void> => {
    let smtp = await open();
    while (next < messages) {
      const subject = `${tag}-${next++}`;
      const content = Buffer.from(`Subject: ${subject}\r\n\r\n${'x'.repeat(70)}\r\n`.padEnd(1_000, 'y').concat('\r\n'));
      const reply = await sendRaw(smtp, { to: ['bob@receiver.example'], content }).catch((error: Error) => error);
      if (typeof reply !== 'string') smtp = await open();
      else if (reply.startsWith('250')) accepted.set(subject, idIn(reply));
      else refused.push(reply);
    }
    smtp.close();
  };
  const finished = Promise.allSettled(Array.from({ length: connections }, send)).then(() => {});
  return { accepted, refused, finished };
}

/** The message id that a reply names. */
export function idIn(reply: string): string {
  return /[0-9A-HJKMNP-TV-Z]{26}/.exec(reply)?.[0] ?? '';
}
