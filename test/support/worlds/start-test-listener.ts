// A listener on free ports with fakes behind it, and a raw client that speaks one line at a time.
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { generate } from 'selfsigned';
import { type Listener, type ListenerDeps, startListener } from '#container/listener.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { type SilentLog, silentLog } from '#test/support/fakes/silent-log.ts';
import { type FakeIntake, fakeIntake } from './fake-intake.ts';

export type TestListener = {
  readonly listener: Listener;
  readonly intake: FakeIntake;
  readonly log: SilentLog;
  readonly config: ReturnType<typeof fixedConfig>;
  readonly port: (role: 'mx' | 'submission' | 'submissions') => number;
  readonly close: () => Promise<void>;
};

const pems = await generate([{ name: 'commonName', value: 'mx.example.test' }], { keySize: 2048 });
export const testCertificate = { certificate: pems.cert, key: pems.private };

export const testConfig: ConfigInput = {
  hostname: 'mx.example.test',
  domains: {
    'example.test': {
      mailboxes: ['support', '"odd one"', 'bücher'],
      aliases: { info: ['support', 'boss@elsewhere.test'] },
    },
  },
};

/** Starts one with all three roles on 127.0.0.1. */
export async function startTestListener(
  input: ConfigInput = testConfig,
  deps: Partial<ListenerDeps> = {},
): Promise<TestListener> {
  const intake = fakeIntake();
  const log = silentLog();
  const config = fixedConfig({
    listeners: [
      { role: 'mx', port: 0 },
      { role: 'submission', port: 0 },
      { role: 'submissions', port: 0 },
    ],
    ...input,
  });
  const listener = await startListener({
    intake,
    config,
    log,
    metrics: noMetrics(),
    secrets: { read: async () => 'secret' },
    suppressions: async () => ({ outcome: 'written' }),
    srsSecret: async () => 'srs secret',
    reverseName: async () => null,
    clock: Date.now,
    newMessageId: messageIdFactory(),
    certificate: async () => testCertificate,
    ...deps,
  });
  return {
    listener,
    intake,
    log,
    config,
    port: (role) => listener.addresses.find((address) => address.role === role)?.port ?? 0,
    close: () => listener.close(0),
  };
}

export type RawClient = {
  readonly socket: () => Socket;
  /** Sends text (Latin-1: one character is one octet), or bytes, as it is. */
  readonly write: (data: string | Buffer) => void;
  /** The next whole reply, its lines joined by LF; null when the connection is closed. */
  readonly reply: () => Promise<string | null>;
  /** Sends a line and waits for the reply. */
  readonly say: (line: string) => Promise<string | null>;
  readonly startTls: () => Promise<TLSSocket>;
  readonly close: () => void;
};

/** Connects; the greeting is the first reply. */
export function rawClient(port: number, options: { tls?: boolean; localAddress?: string } = {}): RawClient {
  const { tls = false, localAddress = '127.0.0.1' } = options;
  const place = { port, host: '127.0.0.1', localAddress };
  let socket: Socket = tls ? connectTls({ ...place, rejectUnauthorized: false }) : connect(place);
  let text = '';
  let isClosed = false;
  let wake: () => void = () => {};
  const listen = () => {
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      wake();
    });
    socket.on('close', () => {
      isClosed = true;
      wake();
    });
    socket.on('error', () => {});
  };
  listen();
  const reply = async (): Promise<string | null> => {
    for (;;) {
      const match = /^(?:\d{3}-[^\r\n]*\r\n)*\d{3} [^\r\n]*\r\n/.exec(text);
      if (match !== null) {
        text = text.slice(match[0].length);
        return match[0].trimEnd().replaceAll('\r\n', '\n');
      }
      if (isClosed) return null;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return {
    socket: () => socket,
    write: (data) => void socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data),
    reply,
    say: (line) => {
      socket.write(Buffer.from(`${line}\r\n`, 'latin1'));
      return reply();
    },
    startTls: () =>
      new Promise((resolve, reject) => {
        socket.removeAllListeners('data');
        const secure = connectTls({ socket, rejectUnauthorized: false }, () => resolve(secure));
        secure.once('error', reject);
        socket = secure;
        listen();
      }),
    close: () => socket.destroy(),
  };
}
