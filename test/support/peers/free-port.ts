// A port of 127.0.0.1 that is free just now, for programs that cannot choose one themselves. Not from the range that the
// system gives to connections and to port 0: there, somebody else may have it before the program does.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const [first, count] = [10_240, 20_000];

/** Tries ports at random, for TCP and UDP, and lets go of the first that is free. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = first + Math.floor(Math.random() * count);
    if ((await isFreeForTcp(port)) && (await isFreeForUdp(port))) return port;
  }
  throw new Error('no free port found');
}

function isFreeForTcp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}

function isFreeForUdp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind(port, () => socket.close(() => resolve(true)));
  });
}
