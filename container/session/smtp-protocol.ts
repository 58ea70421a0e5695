// The one file that knows smtp-server. Its base keeps: listening, TLS on connect and by STARTTLS (with nothing from before
// the handshake getting through), closing half-open sockets, the set of connections. Replaced by subclass, because its own
// ways fall short: the parser (input-reader.ts), the dispatch of commands, every reply, all time limits. No callback
// of it is given a promise: drive-session.ts turns all that a conversation does, throws included, into one reply.
import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { SMTPServer } from 'smtp-server';
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js';
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js';
import { collectGarbage } from '#container/limits/collect-garbage.ts';
import { peerOf } from '#mail/address/peer-address.ts';
import { replies } from '#mail/smtp/replies.ts';
import { formatReply, type Reply } from '#mail/smtp/reply.ts';
import { driveSession, type SessionDriver, type Transport } from './drive-session.ts';
import type { InputReader } from './input-reader.ts';
import type { ProtocolOptions, ProtocolServer } from './protocol-options.ts';
import { readProxyHeader } from './read-proxy-header.ts';
import { drained, flush, writeReply } from './socket-replies.ts';
import { tlsFacts } from './step.ts';

const handshakeSeconds = 30;
const proxyHeaderSeconds = 5;
const sweepMs = 500;
const largeReadBytes = 16_384;

/** Opens the port; rejects if it cannot. */
export async function listen(options: ProtocolOptions): Promise<ProtocolServer> {
  const server = new Server(options);
  server.on('error', (error: Error) => options.log.info('smtp-connection-error', { error: error.message }));
  await new Promise<void>((resolve, reject) => {
    server.server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.server.removeListener('error', reject);
      resolve();
    });
  });
  const sweep = setInterval(() => server.sweep(), sweepMs);
  sweep.unref();
  const address = server.server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    isListening: () => server.server.listening,
    checkSessions: () => server.sweep(),
    useCertificate: ({ certificate, key }) => server.updateSecureContext({ cert: certificate, key }),
    close: async (graceSeconds) => {
      await server.drain(graceSeconds);
      clearInterval(sweep);
    },
  };
}

type HandleProxyCallback = Parameters<SMTPServer['_handleProxy']>[1];

class Server extends SMTPServer {
  readonly protocol: ProtocolOptions;
  readonly releases = new Map<string, () => void>();
  readonly handshakesSince = new WeakMap<Socket, number>();
  /** Sockets that we have closed and the other side has not. */
  readonly lingering = new Set<Socket>();
  isDraining = false;
  #nextId = 0;

  constructor(protocol: ProtocolOptions) {
    super({
      secure: protocol.implicitTls,
      key: protocol.certificate.key,
      cert: protocol.certificate.certificate,
      minVersion: 'TLSv1.2',
      ciphers: 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:ECDHE+AESGCM:ECDHE+CHACHA20',
      honorCipherOrder: true,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION, // a handshake costs us more than it costs a peer
      allowHalfOpen: true, // a peer that has said all it will say still gets its replies
      noDelay: true,
      logger: false,
      disableReverseLookup: true,
      socketTimeout: handshakeSeconds * 1_000,
    });
    this.protocol = protocol;
  }

  /** Between accept and TLS: the one place that knows the peer before anything is spent on it. */
  override _handleProxy(socket: Socket, callback: HandleProxyCallback): void {
    this.handshakesSince.set(socket, performance.now());
    if (!this.protocol.isBehindProxy) {
      this.#admit(socket, { ip: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }, callback);
      return;
    }
    void readProxyHeader(socket, proxyHeaderSeconds * 1_000).then((peer) => {
      if (peer === 'none') callback(new Error('no PROXY header'));
      else this.#admit(socket, peer ?? { ip: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }, callback);
    });
  }

  /** Makes the base guard sockets that have not come as far as a session. */
  override _expectsProxyHeader(): boolean {
    return this.protocol.isBehindProxy;
  }

  #admit(socket: Socket, { ip, port }: { ip: string; port: number }, callback: HandleProxyCallback): void {
    const peer = peerOf(ip);
    const admission = this.protocol.admit(peer);
    if (admission.outcome === 'refused') {
      socket.on('error', () => {});
      if (!this.protocol.implicitTls) socket.end(formatReply(admission.reply));
      setTimeout(() => socket.destroy(), this.protocol.implicitTls ? 0 : 1_000).unref();
      callback(new Error('refused'));
      return;
    }
    this.#nextId += 1;
    const id = String(this.#nextId);
    const release = () => {
      this.releases.delete(id);
      admission.release();
    };
    this.releases.set(id, release);
    socket.once('close', release); // STARTTLS takes this off; the connection calls it then
    callback(null, { id, remoteAddress: peer.ip, remotePort: port });
  }

  override connect(socket: Socket, options?: ConstructorParameters<typeof SMTPConnection>[2]): void {
    const connection = new Connection(this, socket, options);
    this.connections.add(connection);
    connection.init();
  }

  override onSecure(_socket: unknown, _session: unknown, callback: () => void): void {
    callback();
  }

  sweep(): void {
    for (const connection of this.connections) if (connection instanceof Connection) connection.checkPace();
    for (const [socket, top] of this._pendingSockets) {
      const since = this.handshakesSince.get(socket) ?? 0;
      if (performance.now() - since > handshakeSeconds * 1_000) top.destroy();
    }
  }

  drain(graceSeconds: number): Promise<void> {
    this.isDraining = true;
    const isClosed = new Promise<void>((resolve) => {
      this.server.once('close', () => resolve());
    });
    this.server.close();
    for (const top of this._pendingSockets.values()) top.destroy();
    for (const connection of this.connections) if (connection instanceof Connection) connection.drive.drain();
    const cutOff = setTimeout(() => {
      for (const connection of this.connections) connection._socket.destroy();
      for (const socket of this.lingering) socket.destroy();
    }, graceSeconds * 1_000);
    return isClosed.then(() => clearTimeout(cutOff));
  }
}

/** The stream that smtp-server pipes the socket into; the work is done by the reader. */
class Input extends SMTPStream {
  readonly #connection: Connection;
  #reader: InputReader | null = null;

  constructor(connection: Connection) {
    super();
    this.#connection = connection;
  }

  get reader(): InputReader {
    this.#reader ??= this.#connection.drive.createReader();
    return this.#reader;
  }

  override _write(chunk: Buffer, _encoding: unknown, next: () => void): void {
    if (this.isClosed || this.#connection.refusesInput()) {
      next();
      return;
    }
    const { _socket: socket } = this.#connection;
    socket.cork(); // replies to pipelined commands leave together
    if (chunk.length >= largeReadBytes) collectGarbage(chunk.length);
    this.reader.push(chunk, () => {
      socket.uncork();
      next();
    });
  }

  /** The peer has closed its side. What stands here without a line ending is no command. */
  override _flushData(): void {
    if (!this.isClosed) this.#connection.close();
  }
}

class Connection extends SMTPConnection {
  readonly #server: Server;
  readonly drive: SessionDriver;

  constructor(server: Server, socket: Socket, options?: ConstructorParameters<typeof SMTPConnection>[2]) {
    super(server, socket, options);
    this.#server = server;
    const hangUp = (reply: Reply) => this.drive.close(reply);
    this.drive = driveSession(
      this.#transport(),
      server.protocol.converse({ peer: peerOf(this.remoteAddress), hangUp, flush: () => flush(this._socket) }),
    );
  }

  override init(): void {
    this._setListeners(() => {
      if (this._socket instanceof TLSSocket) this.drive.secured(tlsFacts(this._socket));
      const delayMs = this.#server.protocol.greetingDelayMs(peerOf(this.remoteAddress));
      if (delayMs === 0) this.#greet();
      else setTimeout(() => this.#greet(), delayMs).unref();
    });
  }

  #greet(): void {
    if (this._closing || this._closed) return;
    this._ready = true;
    this.drive.greet();
  }

  override _createParser(): SMTPStream {
    return new Input(this);
  }

  /** Bytes before the greeting, or in clear during the handshake: the former are answered, the latter never seen. */
  refusesInput(): boolean {
    if (!this._ready && !this._upgrading) this.drive.close(replies.earlyTalker);
    return !this._ready || this._upgrading;
  }

  #transport(): Transport {
    return {
      say: (reply) => {
        if (!this._upgrading) writeReply(this._socket, reply);
      },
      flush: () => flush(this._socket),
      drained: () => drained(this._socket),
      close: () => this.close(),
      isClosing: () => this._closing || this._closed,
      startTls: () => this.#startTls(),
      reader: () => this.#reader,
      isDraining: () => this.#server.isDraining,
      log: this.#server.protocol.log,
      onFault: this.#server.protocol.onFault,
    };
  }

  get #reader(): InputReader | null {
    return this._parser instanceof Input ? this._parser.reader : null;
  }

  #startTls(): void {
    this.upgrade(
      () => {},
      () => {
        if (this._socket instanceof TLSSocket) this.drive.secured(tlsFacts(this._socket));
      },
    );
  }

  override close(): void {
    this.#reader?.close();
    this.drive.closed();
    const socket = this._socket;
    this.#server.lingering.add(socket);
    socket.once('close', () => this.#server.lingering.delete(socket));
    super.close();
  }

  /** Called by the sweep. */
  checkPace(): void {
    if (!this._upgrading) this.drive.checkPace();
    else if (this.drive.sinceTurnMs() > handshakeSeconds * 1_000) this._socket.destroy();
  }

  override _armTimeout(): void {
    // Time is kept by the sweep: an idle timer of the socket would let a client send one octet a minute without end.
  }

  override _onError(error: Error): void {
    this.#server.protocol.log.info('smtp-connection-error', { error: error.message, clientIp: this.remoteAddress });
    this._socket.destroy();
  }

  override _onClose(): void {
    this.drive.closed();
    this.#server.releases.get(this.id)?.();
    super._onClose();
  }
}
