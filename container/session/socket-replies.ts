// Replies on their way out: written to the socket, held back while more come, waited for where the peer does not read.
import type { Socket } from 'node:net';
import { formatReply, type Reply } from '#mail/smtp/reply.ts';

/** Writes a reply if the socket still takes it. */
export function writeReply(socket: Socket, reply: Reply): void {
  if (!socket.destroyed && socket.writable) socket.write(formatReply(reply), 'latin1');
}

/** Sends what was written, however often the socket was corked. */
export function flush(socket: Socket): void {
  while (socket.writableCorked > 0) socket.uncork();
}

/** A promise if the peer has yet to read what was written: it resolves when it has, or when the connection is closed. */
export function drained(socket: Socket): Promise<void> | undefined {
  if (!socket.writableNeedDrain || socket.destroyed) return undefined;
  flush(socket);
  if (!socket.writableNeedDrain) return undefined;
  return new Promise((resolve) => {
    const finish = () => {
      socket.removeListener('drain', finish);
      socket.removeListener('close', finish);
      resolve();
    };
    socket.once('drain', finish);
    socket.once('close', finish);
  });
}
