// Reads the PROXY header off a new connection, in one packet or many, and puts back what follows it.
import type { Socket } from 'node:net';
import { parseProxyHeader } from '#mail/smtp/proxy-protocol.ts';

/** The client's address; null where the balancer speaks for itself; `none`: no header came, and the socket is closed. */
export type ProxiedPeer = { readonly ip: string; readonly port: number } | null | 'none';

/** Resolves once the header is there, or cannot come any more. Never rejects. */
export function readProxyHeader(socket: Socket, deadlineMs: number): Promise<ProxiedPeer> {
  return new Promise((resolve) => {
    let seen: Buffer = Buffer.alloc(0);
    const finish = (peer: ProxiedPeer) => {
      clearTimeout(timer);
      socket.removeListener('readable', read);
      socket.removeListener('end', fail);
      socket.removeListener('close', fail);
      if (peer === 'none') socket.destroy();
      else socket.removeListener('error', fail);
      resolve(peer);
    };
    const fail = () => finish('none');
    const read = () => {
      for (let chunk: unknown = socket.read(); Buffer.isBuffer(chunk); chunk = socket.read()) {
        seen = Buffer.concat([seen, chunk]);
        const header = parseProxyHeader(seen);
        if (header.outcome === 'invalid') return fail();
        if (header.outcome === 'header') {
          if (seen.length > header.bytes) socket.unshift(seen.subarray(header.bytes));
          return finish(header.peer);
        }
      }
    };
    const timer = setTimeout(fail, deadlineMs);
    socket.on('readable', read);
    socket.on('end', fail);
    socket.on('close', fail);
    socket.on('error', fail);
  });
}
