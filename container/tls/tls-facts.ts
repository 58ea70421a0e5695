// What a session's log, trace field and JSON say of its TLS.
import type { TLSSocket } from 'node:tls';
import type { TlsFacts } from '#container/session/wire.ts';

/** Version and cipher of a connection under TLS, in OpenSSL's words; `unknown` where the socket is already gone. */
export function tlsFacts(socket: TLSSocket): TlsFacts {
  return { version: socket.getProtocol() ?? 'unknown', cipher: socket.getCipher()?.name ?? 'unknown' };
}
