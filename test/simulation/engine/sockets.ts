// Connections in memory, with the time that bytes take, in order, and with the ways in which connections end: closed, reset, or
// silent, when the other side vanishes and nobody tells.
import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';
import type { SimClock } from './clock.ts';
import { currentProcess, type SimProcess } from './process.ts';
import type { Random } from './random.ts';

/** Answers a connection to its address: with a listener, or with how it fails. `silent`: nothing ever comes back. */
export type Reach = (address: {
  readonly ip: string;
  readonly port: number;
}) =>
  | { readonly outcome: 'open'; readonly accept: (socket: SimSocket) => void; readonly owner: SimProcess | null }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'silent' };

export type Network = {
  readonly clock: SimClock;
  readonly random: Random;
  /** Who listens where. */
  readonly reach: Reach;
};

/** One end of a connection, with as much of `net.Socket` as the service asks of it. */
export class SimSocket extends Duplex {
  readonly #network: Network;
  readonly owner: SimProcess | null;
  remoteAddress: string;
  remotePort: number;
  readonly localAddress = '192.0.2.1';
  readonly localPort: number;
  other: SimSocket | null = null;
  #arrivesAt = 0;
  #isSilent = false;
  #isOtherGone = false;
  #isEnded = false;

  constructor(
    network: Network,
    owner: SimProcess | null,
    {
      ip,
      port,
      allowHalfOpen = false,
    }: { readonly ip: string; readonly port: number; readonly allowHalfOpen?: boolean },
  ) {
    super({ allowHalfOpen, highWaterMark: 1_048_576 });
    this.#network = network;
    this.owner = owner;
    this.remoteAddress = ip;
    this.remotePort = port;
    this.localPort = network.random.between(10_000, 60_000);
    owner?.onDeath(() => this.#die());
  }

  get readyState(): string {
    return this.destroyed ? 'closed' : 'open';
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  /** From now on neither side hears of the other, and neither is told. */
  vanish(): void {
    this.#isSilent = true;
    if (this.other !== null) this.other.#isSilent = true;
  }

  /** Writes, and calls back once the other side has it. */
  tell(text: string, arrived: () => void): void {
    this.write(text);
    this.#toOther(arrived);
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const bytes = Buffer.from(chunk);
    if (this.#isOtherGone) this.#deliver(this, () => this.destroy(reset()));
    else this.#toOther((other) => other.push(bytes));
    done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => Buffer.from(chunk))), '', done);
  }

  override _final(done: () => void): void {
    this.#toOther((other) => other.#end());
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#toOther((other) => {
      other.#isOtherGone = true;
      other.#end();
    });
    done(error);
  }

  #toOther(what: (other: SimSocket) => void): void {
    const { other } = this;
    if (other === null || this.#isSilent) return;
    this.#deliver(other, () => what(other));
  }

  /** Bytes of one direction arrive in the order in which they were sent. */
  #deliver(target: SimSocket, what: () => void): void {
    const { clock, random } = this.#network;
    this.#arrivesAt = Math.max(this.#arrivesAt, clock.now() + random.between(1, 40));
    clock.in(this.#arrivesAt - clock.now(), () => {
      if (target.destroyed) return;
      if (target.owner === null) what();
      else target.owner.enter(what);
    });
  }

  /** The process is gone: its kernel, or that of its host, may reset the connection, or nobody says anything. */
  #die(): void {
    const { other } = this;
    if (other === null || this.destroyed) return;
    const how = this.#network.random.pick(['reset', 'close', 'close', 'silent'] as const);
    if (how === 'silent') this.vanish();
    this.#toOther((there) => {
      there.#isOtherGone = true;
      if (how === 'reset') there.destroy(reset());
      else there.#end();
    });
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.push(null);
  }
}

/** What `net.connect` does in a simulated process. */
export function connect(
  network: Network,
  { host: ip, port, from = '198.51.100.7' }: { readonly host: string; readonly port: number; readonly from?: string },
): SimSocket {
  const { clock, random, reach } = network;
  const socket = new SimSocket(network, currentProcess(), { ip, port });
  const answer = reach({ ip, port });
  if (answer.outcome === 'silent') return socket;
  const inProcess = (work: () => void): void => (socket.owner === null ? work() : socket.owner.enter(work));
  clock.in(random.between(1, 60), () => {
    if (socket.destroyed) return;
    if (answer.outcome === 'refused') {
      const error = Object.assign(new Error(`connect ECONNREFUSED ${ip}:${port}`), { code: 'ECONNREFUSED' });
      return inProcess(() => socket.destroy(error));
    }
    const { owner, accept } = answer;
    const there = new SimSocket(network, owner, { ip: from, port: socket.localPort, allowHalfOpen: owner !== null });
    socket.other = there;
    there.other = socket;
    inProcess(() => socket.emit('connect'));
    if (owner === null) accept(there);
    else owner.enter(() => accept(there));
  });
  return socket;
}

function reset(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
}

/** What `net.createServer` makes in a simulated process: `bind` is called when it listens. */
export class SimServer extends EventEmitter {
  readonly #accept: (socket: SimSocket) => void;
  readonly #bind: (port: number, accept: ((socket: SimSocket) => void) | null) => void;
  readonly #open = new Set<SimSocket>();
  #port = 0;
  #isClosing = false;

  constructor(
    accept: (socket: SimSocket) => void,
    bind: (port: number, accept: ((socket: SimSocket) => void) | null) => void,
  ) {
    super();
    this.#accept = accept;
    this.#bind = bind;
  }

  listen(port: number, _host: string, listening: () => void): this {
    this.#port = port;
    this.#bind(port, (socket) => {
      this.#open.add(socket);
      socket.once('close', () => {
        this.#open.delete(socket);
        this.#closeIfDone();
      });
      this.#accept(socket);
    });
    process.nextTick(() => {
      this.emit('listening');
      listening();
    });
    return this;
  }

  address(): { readonly address: string; readonly family: string; readonly port: number } {
    return { address: '0.0.0.0', family: 'IPv4', port: this.#port };
  }

  close(): this {
    this.#isClosing = true;
    this.#bind(this.#port, null);
    process.nextTick(() => this.#closeIfDone());
    return this;
  }

  #closeIfDone(): void {
    if (this.#isClosing && this.#open.size === 0) this.emit('close');
  }
}
