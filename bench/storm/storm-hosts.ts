// The mail hosts of the storm: one port, on all loopback addresses. One address never greets; all others take what they are given
// and note when. And the storm's DNS.
import { createServer, type Socket } from 'node:net';
import { type DnsAnswer, recordTypes } from '#bench/load/dns-server.ts';

/** The host that takes connections and says nothing. */
const deadHost = '127.0.8.1';

export type StormHosts = {
  readonly port: number;
  /** When each Subject got its 250 (`performance.now()`). */
  readonly arrivals: ReadonlyMap<string, number>;
  /** The most connections that the dead host had at once. */
  readonly mostAtDeadHost: () => number;
  readonly close: () => Promise<void>;
};

const answers: Readonly<Record<string, string>> = { EHLO: '250-up\r\n250 PIPELINING', DATA: '354 go', QUIT: '221 bye' };

/** Starts them on a free port. */
export async function startStormHosts(): Promise<StormHosts> {
  const arrivals = new Map<string, number>();
  const sockets = new Set<Socket>();
  const dead = { now: 0, most: 0 };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    if (socket.localAddress !== deadHost) return serve(socket, arrivals);
    dead.now += 1;
    dead.most = Math.max(dead.most, dead.now);
    socket.on('close', () => {
      dead.now -= 1;
    });
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    arrivals,
    mostAtDeadHost: () => dead.most,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * The DNS of the storm: every domain below `dead.test` has the one mail host that never greets, every name below `up.test` is a
 * host of its own that does, names below `dark.test` get no answer, and no other name exists.
 */
export function stormDns(name: string, type: number): DnsAnswer {
  if (name.endsWith('dark.test')) return 'silence';
  if (!name.endsWith('.dead.test') && !name.endsWith('.up.test')) return 'no-name';
  const number = Number(/^h(\d{1,3})\.up\.test$/.exec(name)?.[1] ?? 0);
  if (type === recordTypes.a)
    return Buffer.from((number === 0 ? deadHost : `127.0.9.${number}`).split('.').map(Number));
  const isDomain = type === recordTypes.mx && number === 0;
  return isDomain ? Buffer.from('\0\x0a\x02mx\x04dead\x04test\0', 'latin1') : 'no-record';
}

function serve(socket: Socket, arrivals: Map<string, number>): void {
  let [rest, inData] = ['', false];
  const answer = (text: string): string => {
    if (inData) {
      inData = false;
      arrivals.set(/^Subject: (.*)\r$/m.exec(text)?.[1] ?? '?', performance.now());
      return '250 2.0.0 taken';
    }
    const verb = text.slice(0, 4).toUpperCase();
    inData = verb === 'DATA';
    return answers[verb] ?? '250 fine';
  };
  socket.setEncoding('latin1').on('data', (piece) => {
    rest += piece;
    for (let mark = inData ? '\r\n.\r\n' : '\r\n'; rest.includes(mark); mark = inData ? '\r\n.\r\n' : '\r\n') {
      const end = rest.indexOf(mark) + mark.length;
      const said = answer(rest.slice(0, end));
      rest = rest.slice(end);
      if (socket.writable) socket.write(`${said}\r\n`);
    }
  });
  socket.write('220 up\r\n');
}
