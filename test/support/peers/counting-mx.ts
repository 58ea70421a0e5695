// A mail host that only counts: every message by its Subject, in the order it took them on each connection. As quick as it
// can be, for loads; it can keep its greeting back until a test lets it go. Recipients called `no` are refused.
import { createServer, type Socket } from 'node:net';

export type CountingMx = {
  readonly port: number;
  /** How many messages got their 250. */
  readonly count: () => number;
  /** How often each Subject got its 250. */
  readonly bySubject: ReadonlyMap<string, number>;
  /** For each connection that ended without QUIT, the Subject that it took last. */
  readonly lastOfBroken: () => readonly string[];
  readonly connections: () => number;
  /** The most connections there were at once. */
  readonly mostAtOnce: () => number;
  /** Greets those who wait, and from now on everybody at once. */
  readonly open: () => void;
  readonly close: () => Promise<void>;
};

const answers: Readonly<Record<string, string>> = {
  EHLO: '250-counting\r\n250 PIPELINING',
  DATA: '354 go',
  QUIT: '221 bye',
};

/**
 * Starts it on a free port of a loopback address. `closed`: until `open` nobody is greeted; `pauseMs`: how long it thinks
 * about each message.
 */
export async function startCountingMx({
  ip,
  closed = false,
  pauseMs = 0,
}: {
  ip: string;
  closed?: boolean;
  pauseMs?: number;
}): Promise<CountingMx> {
  const bySubject = new Map<string, number>();
  const broken: string[] = [];
  const waiting: (() => void)[] = [];
  const sockets = new Set<Socket>();
  let count = 0;
  let connections = 0;
  let mostAtOnce = 0;
  let isOpen = !closed;

  const serve = (socket: Socket): void => {
    let rest = '';
    let inData = false;
    let hasRecipient = false;
    let last = '';
    let isPolite = false;
    const say = (text: string): void => void (socket.writable && socket.write(`${text}\r\n`));
    const taken = (content: string): void => {
      const subject = /^Subject: (.*)\r$/m.exec(content)?.[1] ?? '?';
      bySubject.set(subject, (bySubject.get(subject) ?? 0) + 1);
      last = subject;
      count += 1;
      if (pauseMs === 0) say('250 2.0.0 taken');
      else setTimeout(say, pauseMs, '250 2.0.0 taken');
    };
    const command = (line: string): void => {
      const verb = line.slice(0, 4).toUpperCase();
      const isRefused = line.startsWith('RCPT TO:<no@') || (verb === 'DATA' && !hasRecipient);
      if (verb === 'MAIL') hasRecipient = false;
      if (verb === 'RCPT' && !isRefused) hasRecipient = true;
      if (verb === 'DATA' && hasRecipient) inData = true;
      if (verb === 'QUIT') isPolite = true;
      say(isRefused ? '550 5.7.1 not wanted' : (answers[verb] ?? '250 fine'));
      if (isPolite) socket.end();
    };
    socket.setEncoding('latin1').on('data', (piece) => {
      rest += piece;
      for (;;) {
        const end = rest.indexOf(inData ? '\r\n.\r\n' : '\r\n');
        if (end < 0) return;
        const text = rest.slice(0, end + 2);
        rest = rest.slice(end + (inData ? 5 : 2));
        if (!inData) command(text);
        else {
          inData = false;
          taken(text);
        }
      }
    });
    socket.on('close', () => {
      sockets.delete(socket);
      if (!isPolite && last !== '') broken.push(last);
    });
    say('220 counting');
  };
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    mostAtOnce = Math.max(mostAtOnce, sockets.size);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    if (isOpen) serve(socket);
    else {
      socket.resume(); // or it would not notice that the other side hangs up
      waiting.push(() => serve(socket));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, ip, resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    count: () => count,
    bySubject,
    lastOfBroken: () => broken,
    connections: () => connections,
    mostAtOnce: () => mostAtOnce,
    open: () => {
      isOpen = true;
      for (const greet of waiting.splice(0)) greet();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
