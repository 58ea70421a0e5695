// Capture mode on a port that only this machine can reach, or that somebody has opened to a network they trust: a place to try mail
// programs out. They need host and port alone: no STARTTLS is offered with a certificate that they would not trust, and any
// log-in will do.
import type { SessionState } from '#container/session/session-state.ts';

type Asked = Pick<SessionState, 'config' | 'client'> & {
  readonly shared: Pick<SessionState['shared'], 'isLocalPort' | 'anyLogin'>;
};

/** Says whether a session is of that kind: by its mode, the address its port is bound to, its peer, and what the service was told. */
export function isLocalCapture({ config, shared, client }: Asked): boolean {
  return config.mode === 'capture' && (shared.anyLogin || (shared.isLocalPort && client.peer.isLoopback));
}

/** The mechanisms of AUTH (RFC 4954 §3) for a session that may log in. CRAM-MD5 only if no password is compared: hashes cannot answer it. */
export function mechanismsFor(state: Asked): readonly ('PLAIN' | 'LOGIN' | 'CRAM-MD5')[] {
  return isLocalCapture(state) && state.config.users.length === 0 ? ['PLAIN', 'LOGIN', 'CRAM-MD5'] : ['PLAIN', 'LOGIN'];
}

/** Says whether STARTTLS is offered in clear. If somebody has configured a certificate, they mean to use it. */
export function offersStartTls(state: Asked): boolean {
  return !isLocalCapture(state) || state.config.tls !== null;
}
