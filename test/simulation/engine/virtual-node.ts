// What code asks of Node while a simulation runs: time, timers, chance, connections, the DNS. All of it is answered by the simulated
// world, for whichever process asks; the source is not changed and does not know. Restored when the run is over.
import crypto from 'node:crypto';
import dnsPromises from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import timersPromises from 'node:timers/promises';
import type { Scheduled, SimClock } from './clock.ts';
import { currentProcess } from './process.ts';
import type { Random } from './random.ts';
import { connect, type Network, SimServer, type SimSocket } from './sockets.ts';

/** The world that answers. */
export type VirtualNode = {
  readonly clock: SimClock;
  readonly random: Random;
  readonly network: Network;
  /** Opens or closes (null) a port of the running process. */
  readonly bind: (port: number, accept: ((socket: SimSocket) => void) | null) => void;
  /** One question to the DNS servers; rejects with an error that has a code. */
  readonly askDns: (name: string, type: string) => Promise<unknown>;
};

const RealDate = Date;

/** Puts the world in place of Node's own; answers what puts all back. */
export function installVirtualNode(world: VirtualNode): () => void {
  const { clock, random } = world;
  const undo: (() => void)[] = [];
  const replace = (target: object, name: string, value: unknown): void => {
    const before = Object.getOwnPropertyDescriptor(target, name);
    Object.defineProperty(target, name, {
      value,
      configurable: true,
      writable: true,
      enumerable: before?.enumerable ?? false,
    });
    undo.push(() =>
      before === undefined ? Reflect.deleteProperty(target, name) : Object.defineProperty(target, name, before),
    );
  };
  const setTimer = (call: (...values: unknown[]) => void, ms = 1, ...values: unknown[]): SimTimer =>
    new SimTimer(clock, () => call(...values), { ms, repeats: false });
  const clear = (timer: unknown): void => void (timer instanceof SimTimer && timer.close());
  replace(globalThis, 'setTimeout', setTimer);
  replace(globalThis, 'setInterval', (call: () => void, ms = 1) => new SimTimer(clock, call, { ms, repeats: true }));
  replace(globalThis, 'setImmediate', (call: (...values: unknown[]) => void, ...values: unknown[]) =>
    setTimer(call, 0, ...values),
  );
  for (const name of ['clearTimeout', 'clearInterval', 'clearImmediate']) replace(globalThis, name, clear);
  replace(globalThis, 'Date', virtualDate(clock));
  replace(performance, 'now', () => clock.now() - clock.startMs);
  replace(Math, 'random', random.next);
  const wait = (ms: number, value?: unknown) => new Promise((resolve) => setTimer(resolve, ms, value));
  replace(timersPromises, 'setTimeout', wait);
  replace(timersPromises, 'setImmediate', (value?: unknown) => wait(0, value));
  replace(crypto, 'randomBytes', (length: number) => random.bytes(length));
  replace(crypto, 'randomUUID', () => uuidOf(random));
  replace(net, 'connect', (where: { host: string; port: number }) => connect(world.network, where));
  replace(net, 'createServer', (_: unknown, accept: (socket: SimSocket) => void) => new SimServer(accept, world.bind));
  replace(dnsPromises, 'Resolver', resolverClass(world.askDns));
  syncBuiltinESMExports();
  return () => {
    for (const back of undo.reverse()) back();
    syncBuiltinESMExports();
  };
}

const longestMs = 2_147_483_647;

/** A timer of a process, or of the world. */
class SimTimer {
  readonly #clock: SimClock;
  readonly #call: () => void;
  readonly #ms: number;
  readonly #repeats: boolean;
  readonly #process = currentProcess();
  #scheduled: Scheduled;
  #isClosed = false;

  constructor(clock: SimClock, call: () => void, { ms, repeats }: { readonly ms: number; readonly repeats: boolean }) {
    this.#clock = clock;
    this.#call = call;
    // As Node does it: what is no time, or too long a time, is a millisecond.
    this.#ms = ms >= 1 && ms <= longestMs ? Math.trunc(ms) : ms === 0 ? 0 : 1;
    this.#repeats = repeats;
    this.#scheduled = this.#schedule();
  }

  #schedule(): Scheduled {
    return this.#clock.in(this.#ms, () => {
      if (this.#process === null) this.#fire();
      else this.#process.enter(() => this.#fire());
    });
  }

  #fire(): void {
    if (this.#isClosed) return; // by another that was due with it when the process went on
    if (this.#repeats) this.#scheduled = this.#schedule();
    this.#call();
  }

  close(): this {
    this.#isClosed = true;
    this.#scheduled.cancel();
    return this;
  }

  refresh(): this {
    this.#scheduled.cancel();
    this.#scheduled = this.#schedule();
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }
}

function virtualDate(clock: SimClock): DateConstructor {
  const now = (): number => Math.trunc(clock.now()) + (currentProcess()?.skewMs ?? 0);
  class VirtualDate extends RealDate {
    constructor(...values: unknown[]) {
      super(...((values.length === 0 ? [now()] : values) as [number]));
    }
    static override now(): number {
      return now();
    }
    static override [Symbol.hasInstance](value: unknown): boolean {
      return value instanceof RealDate;
    }
  }
  return VirtualDate as unknown as DateConstructor;
}

function uuidOf(random: Random): string {
  const hex = random.bytes(16).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** As much of `dns.promises.Resolver` as pipeline/dns asks of it. */
function resolverClass(ask: VirtualNode['askDns']): unknown {
  const withTtl = async (name: string, type: string): Promise<unknown> => {
    const found = (await ask(name, type)) as string[];
    return found.map((address) => ({ address, ttl: 60 }));
  };
  return class {
    setServers(): void {}
    cancel(): void {}
    resolve4 = (name: string) => withTtl(name, 'A');
    resolve6 = (name: string) => withTtl(name, 'AAAA');
    resolveTlsa = (name: string) => ask(name, 'TLSA');
    resolve = (name: string, type: string) => ask(name, type);
  };
}
