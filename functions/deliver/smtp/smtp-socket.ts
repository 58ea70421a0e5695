// One TCP connection to a mail host, as lines out and replies in (RFC 5321 §4.2). Every wait has a limit, and whatever breaks the
// connection is a value, the first of which stays. Knows nothing of commands.
import { connect as connectSocket, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import { isLoopbackAddress } from '#mail/address/loopback.ts';
import type { Reply } from '#mail/smtp/reply.ts';
import { ownConnectFault } from './own-connect-fault.ts';
import { type Broken, createReplyReader, shownSeconds } from './reply-reader.ts';
import { unsentBytes } from './unsent-bytes.ts';

/** What is known of the TLS in force. `problem` says why the certificate is not to be trusted, null if it is. */
export type TlsFacts = { readonly version: string; readonly cipher: string; readonly problem: string | null };

/** How to make TLS: for `name` (RFC 6066 SNI, and the name the certificate must carry). */
export type TlsOptions = { readonly name: string; readonly context: SecureContext; readonly tlsSession: Buffer | null };

/** One connection. Every wait ends at its own limit or at the deadline set last, whichever comes first. */
export type SmtpSocket = {
  /** Ends all waits at this time of `performance.now()`, in milliseconds. */
  readonly setDeadline: (atMs: number) => void;
  /** Hands bytes to the connection without waiting. */
  readonly write: (bytes: string | Uint8Array) => void;
  /** Hands over bytes and waits until more may follow (back-pressure); null, or what broke. */
  readonly writeAndWait: (bytes: Uint8Array, limitMs: number) => Promise<Broken | null>;
  /** The next reply, in the order of commands. */
  readonly nextReply: (limitMs: number) => Promise<Reply | Broken>;
  /** Turns the connection into TLS; anything the peer sent ahead in clear breaks it (RFC 3207 §6). */
  readonly startTls: (options: TlsOptions, limitMs: number) => Promise<TlsFacts | Broken>;
  /** Whether the connection is idle and whole: nothing broke, nothing unasked-for came. */
  readonly isQuiet: () => boolean;
  /** Whether the address that it is connected to is this machine's own. */
  readonly isLoopback: boolean;
  /** The TLS session to resume with next time, if the peer gave one. */
  readonly tlsSession: () => Buffer | null;
  /** Says QUIT and leaves it to the peer to close, for a second (RFC 5321 §4.1.1.10). */
  readonly quit: () => void;
  readonly close: () => void;
  /** Ends all waits with this reason. */
  readonly fail: (broken: Broken) => void;
  /** Resolves when the connection is closed, by whomever. */
  readonly closed: Promise<void>;
};

const keepAliveMs = 60_000;
const quitMs = 1_000;

/** Connects to an IP address and port; `connect-timeout`, `unreachable` and `own-fault` are told apart. */
export function openSmtpSocket(
  { ip, port }: { readonly ip: string; readonly port: number },
  limitMs: number,
): Promise<SmtpSocket | Broken> {
  return new Promise((resolve) => {
    const socket = connectSocket({ host: ip, port, autoSelectFamily: false });
    socket.setNoDelay(true);
    const settle = (broken: Broken | null): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      if (broken === null) return void resolve(createSmtpSocket(socket));
      socket.on('error', () => undefined);
      socket.destroy();
      resolve(broken);
    };
    const late = `no connection to ${ip} port ${port} within ${shownSeconds(limitMs)} s`;
    const timer = setTimeout(() => settle({ how: 'connect-timeout', detail: late }), limitMs);
    socket.once('connect', () => settle(null));
    socket.once('error', (error) => {
      const code = 'code' in error ? String(error.code) : '';
      const how = code === 'ETIMEDOUT' ? 'connect-timeout' : 'unreachable';
      const unreachable: Broken = { how, detail: `cannot connect to ${ip} port ${port}: ${error.message}` };
      void ownConnectFault(code, ip).then(
        (fault) => settle(fault === null ? unreachable : { how: 'own-fault', detail: fault }),
        () => settle(unreachable),
      );
    });
  });
}

/** Speaks over a connected socket. */
export function createSmtpSocket(connected: Socket): SmtpSocket {
  const inbox = createReplyReader();
  let socket: Socket | TLSSocket = connected;
  let deadline = Number.POSITIVE_INFINITY;
  let tlsSession: Buffer | null = null;
  const closed = Promise.withResolvers<void>();
  connected.once('close', () => closed.resolve());
  // So that a peer that vanished is noticed during a long wait for an answer.
  connected.setKeepAlive(true, keepAliveMs);

  const listen = (): void => {
    socket.on('data', (chunk: Buffer) => {
      inbox.push(chunk);
      if (inbox.broken() !== null) socket.destroy();
    });
    socket.on('end', () => inbox.fail({ how: 'closed', detail: 'the peer closed the connection' }));
    socket.on('close', () => inbox.fail(wasClosed));
    socket.on('error', (error) => inbox.fail({ how: 'closed', detail: `the connection broke: ${error.message}` }));
  };
  const limited = (limitMs: number): number => Math.max(1, Math.min(limitMs, deadline - performance.now()));
  listen();

  return {
    setDeadline: (atMs) => {
      deadline = atMs;
    },
    write: (bytes) => {
      if (socket.writable) socket.write(bytes);
    },
    writeAndWait: (bytes, limitMs) => {
      if (inbox.broken() !== null || !socket.writable) return Promise.resolve(inbox.broken() ?? wasClosed);
      if (socket.write(bytes)) return Promise.resolve(null);
      return drained(socket, { limitMs, endsAt: deadline }, inbox.broken);
    },
    nextReply: (limitMs) => inbox.next(limited(limitMs)),
    startTls: async (options, limitMs) => {
      if (!inbox.isEmpty())
        return { how: 'bad-reply', detail: 'the peer sent more in clear after its reply to STARTTLS' };
      for (const event of ['data', 'end', 'error']) socket.removeAllListeners(event);
      socket.on('error', () => undefined);
      const secured = await secure(socket, options, limited(limitMs));
      if ('broken' in secured) {
        inbox.fail(secured.broken);
        socket.destroy();
        return secured.broken;
      }
      socket = secured.socket;
      socket.once('close', () => closed.resolve());
      socket.on('session', (ticket: Buffer) => {
        tlsSession = ticket;
      });
      listen();
      return secured.facts;
    },
    isQuiet: () => inbox.isEmpty() && inbox.broken() === null && socket.writable,
    isLoopback: isLoopbackAddress(connected.remoteAddress ?? ''),
    tlsSession: () => tlsSession,
    closed: closed.promise,
    fail: inbox.fail,
    quit: () => {
      if (!socket.writable) return void socket.destroy();
      socket.end('QUIT\r\n');
      setTimeout(() => socket.destroy(), quitMs).unref();
    },
    close: () => {
      inbox.fail({ how: 'closed', detail: 'the connection was closed by us' });
      socket.destroy();
    },
  };
}

const wasClosed: Broken = { how: 'closed', detail: 'the connection was closed' };

/** Waits until the peer took enough; broken if it took nothing for `limitMs`, or at `endsAt`. */
function drained(
  socket: Socket,
  { limitMs, endsAt }: { readonly limitMs: number; readonly endsAt: number },
  broken: () => Broken | null,
): Promise<Broken | null> {
  return new Promise((resolve) => {
    let unsent: number | null = null;
    let takenAt = performance.now();
    let isSettled = false;
    const settle = (result: Broken | null): void => {
      isSettled = true;
      clearTimeout(timer);
      socket.off('drain', onDrain);
      socket.off('close', onClose);
      resolve(result);
    };
    const onDrain = (): void => settle(null);
    const onClose = (): void => settle(broken() ?? wasClosed);
    const leftMs = (): number => Math.min(takenAt + limitMs, endsAt) - performance.now();
    const lookIn = (): NodeJS.Timeout => setTimeout(() => void look(), Math.max(1, Math.min(leftMs(), limitMs / 4)));
    const look = async (): Promise<void> => {
      const now = await unsentBytes(socket);
      if (isSettled) return;
      if (now !== null && unsent !== null && now < unsent) takenAt = performance.now();
      unsent = now;
      if (leftMs() > 0) timer = lookIn();
      else settle({ how: 'timeout', detail: `the peer took nothing for ${shownSeconds(limitMs)} s` });
    };
    let timer = lookIn();
    socket.once('drain', onDrain);
    socket.once('close', onClose);
  });
}

type Secured = { readonly socket: TLSSocket; readonly facts: TlsFacts } | { readonly broken: Broken };

function secure(socket: Socket, { name, context, tlsSession }: TlsOptions, limitMs: number): Promise<Secured> {
  return new Promise((resolve) => {
    const secured = connectTls({
      socket,
      secureContext: context,
      // The certificate is judged by policy, not here: opportunistic TLS takes any (RFC 7435).
      rejectUnauthorized: false,
      ...(isHostName(name) ? { servername: name } : { servername: '', host: name }),
      ...(tlsSession === null ? {} : { session: tlsSession }),
    });
    const settle = (result: Secured): void => {
      clearTimeout(timer);
      secured.removeListener('error', onError);
      secured.removeListener('close', onClose);
      if ('broken' in result) secured.on('error', () => undefined);
      resolve(result);
    };
    const fail = (detail: string): void =>
      settle({ broken: { how: 'tls', detail: `the TLS handshake failed: ${detail}` } });
    const onError = (error: Error): void => fail(tlsReason(error));
    const onClose = (): void => fail('the connection was closed');
    const timer = setTimeout(() => fail(`no answer within ${shownSeconds(limitMs)} s`), limitMs);
    secured.once('error', onError);
    secured.once('close', onClose);
    secured.once('secureConnect', () => {
      const facts = {
        version: secured.getProtocol() ?? 'TLS',
        cipher: secured.getCipher().name,
        problem: secured.authorized ? null : certificateProblem(secured.authorizationError),
      };
      settle({ socket: secured, facts });
    });
  });
}

/** OpenSSL's own short words, if it has some: its message names lines of its source. */
function tlsReason(error: Error): string {
  return 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message;
}

const certificateWords: ReadonlyMap<string, string> = new Map([
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'it is for other names than this host'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'it is self-signed'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'nobody who is known vouches for it'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'nobody who is known vouches for it'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'nobody who is known vouches for it'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'nobody who is known vouches for it'],
  ['CERT_HAS_EXPIRED', 'it has expired'],
  ['CERT_NOT_YET_VALID', 'it is not valid yet'],
]);

/** Why a certificate proves nothing, in words and with the code to search for. */
function certificateProblem(error: Error | string | null | undefined): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const words = certificateWords.get(code);
  return words === undefined ? code : `${words} (${code})`;
}

function isHostName(name: string): boolean {
  return /[a-z]/i.test(name) && !name.includes(':');
}
