// Waiting for what another process does.
import { createConnection } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Looks every 20 ms, and rejects if it is not so after `seconds`; `what` says in the error what was waited for. */
export async function until(what: string, seconds: number, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + seconds * 1_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await pause(20);
  }
}

/** Resolves when a server greets on a port of this machine. */
export function whenGreeted(port: number): Promise<void> {
  return until(`a greeting on port ${port}`, 30, () => isGreeted(port));
}

function isGreeted(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.once('error', () => resolve(false)).once('data', () => resolve(socket.end('QUIT\r\n') !== undefined));
  });
}
