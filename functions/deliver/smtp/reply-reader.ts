// Replies of a mail host (RFC 5321 §4.2), read out of whatever it sends. Bounded in line length, lines and number: a reply that does not
// end, or is none, breaks the connection.
import { parseReply, type Reply } from '#mail/smtp/reply.ts';

/** Why a connection is of no more use. `how` is a stable word (`own-fault`: this machine is at fault), `detail` a sentence for people. */
export type Broken = {
  readonly how: 'own-fault' | 'connect-timeout' | 'unreachable' | 'timeout' | 'closed' | 'bad-reply' | 'tls';
  readonly detail: string;
};

const maxLineChars = 4_096; // RFC 5321 §4.5.3.1.5 allows 512 octets; some peers write more
const maxReplyLines = 128;
const maxWaitingReplies = 1_100; // one RCPT each for the most recipients a job may have, and some

/** Tells a break from an answer. */
export function isBroken(value: object): value is Broken {
  return 'how' in value;
}

/** Reads replies in order; `fail` ends all waiting, the first reason stays. */
export type ReplyReader = {
  readonly push: (chunk: Buffer) => void;
  readonly fail: (broken: Broken) => void;
  readonly next: (limitMs: number) => Promise<Reply | Broken>;
  readonly isEmpty: () => boolean;
  readonly broken: () => Broken | null;
};

/** Makes the reader of one connection. */
export function createReplyReader(): ReplyReader {
  const replies: Reply[] = [];
  let rest = '';
  let lines: string[] = [];
  let broken: Broken | null = null;
  let waiting: ((answer: Reply | Broken) => void) | null = null;

  const fail = (reason: Broken): void => {
    broken ??= reason;
    waiting?.(broken);
  };
  const takeLine = (line: string): void => {
    lines.push(line);
    const reply = parseReply(lines);
    if (reply === null) {
      fail({ how: 'bad-reply', detail: `the peer's answer is not SMTP: ${JSON.stringify(line.slice(0, 80))}` });
      return;
    }
    if (line[3] === '-') {
      if (lines.length >= maxReplyLines) fail({ how: 'bad-reply', detail: "the peer's reply does not end" });
      return;
    }
    lines = [];
    if (waiting !== null) waiting(reply);
    else if (replies.push(reply) > maxWaitingReplies) fail({ how: 'bad-reply', detail: 'the peer answers unasked' });
  };

  return {
    fail,
    isEmpty: () => replies.length === 0 && rest === '' && lines.length === 0,
    broken: () => broken,
    push: (chunk) => {
      let text = rest + chunk.toString('latin1');
      for (let end = text.indexOf('\n'); end >= 0 && broken === null; end = text.indexOf('\n')) {
        if (end > maxLineChars) break;
        takeLine(printable(text.slice(0, end)));
        text = text.slice(end + 1);
      }
      rest = text;
      if (rest.length > maxLineChars && broken === null) {
        fail({ how: 'bad-reply', detail: "a line of the peer's reply does not end" });
      }
    },
    next: (limitMs) => {
      const ready = replies.shift();
      if (ready !== undefined) return Promise.resolve(ready);
      if (broken !== null) return Promise.resolve(broken);
      return new Promise((resolve) => {
        const timer = setTimeout(
          () => fail({ how: 'timeout', detail: `no reply within ${shownSeconds(limitMs)} s` }),
          limitMs,
        );
        waiting = (answer) => {
          clearTimeout(timer);
          waiting = null;
          resolve(answer);
        };
      });
    },
  };
}

/** A line as text: UTF-8 decoded, the CR taken off, control characters shown as `?`. */
function printable(line: string): string {
  const bytes = /[\u0080-\u00ff]/.test(line) ? Buffer.from(line, 'latin1').toString('utf8') : line;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return bytes.replace(/\r$/, '').replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, '?');
}

/** Milliseconds as seconds for people. */
export function shownSeconds(ms: number): string {
  return (ms / 1000).toFixed(ms < 10_000 ? 1 : 0);
}
