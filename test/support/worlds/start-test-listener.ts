// A listener on free ports with fakes behind it, and a raw client that speaks one line at a time.
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { generate } from 'selfsigned';
import { type Listener, startListener } from '#container/listener.ts';
import type { ListenerDeps } from '#container/listener-deps.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { type SilentLog, silentLog } from '#test/support/fakes/silent-log.ts';
import { type FakeIntake, fakeIntake } from './fake-intake.ts';

/** A test, or a file: what is given to `after` runs at its end. */
type Scope = { readonly after: (end: () => unknown) => void };

type Role = 'mx' | 'submission' | 'submissions';

export type TestListener = {
  readonly listener: Listener;
  readonly intake: FakeIntake;
  readonly log: SilentLog;
  readonly config: ReturnType<typeof fixedConfig>;
  readonly port: (role: Role) => number;
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

/** Starts one with all three roles on 127.0.0.1; it is closed when the test ends. */
export async function startTestListener(
  t: Scope,
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
  t.after(() => listener.close(0));
  return {
    listener,
    intake,
    log,
    config,
    port: (role) => listener.addresses.find((address) => address.role === role)?.port ?? 0,
  };
}

export type RawClient = {
  readonly socket: () => Socket;
  /** Sends text (Latin-1: one character is one octet), or bytes, as it is. */
  readonly write: (data: string | Buffer) => void;
  /** The next whole reply, its lines joined by LF; null when the connection is closed. */
  readonly reply: () => Promise<string | null>;
  /** Sends a line and waits for the reply: empty if the connection is closed instead. */
  readonly say: (line: string) => Promise<string>;
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
    say: async (line) => {
      socket.write(Buffer.from(`${line}\r\n`, 'latin1'));
      return (await reply()) ?? '';
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

/** A client that was greeted and has said EHLO; it is closed when the test ends. On `submissions` it speaks TLS. */
export async function openSession(
  t: Scope,
  listener: Pick<TestListener, 'port'>,
  { role = 'mx', ...options }: { readonly role?: Role; readonly localAddress?: string } = {},
): Promise<RawClient & { readonly offers: string }> {
  const client = rawClient(listener.port(role), { tls: role === 'submissions', ...options });
  t.after(client.close);
  await client.reply();
  return { ...client, offers: await client.say('EHLO client.test') };
}

/** Logs in with AUTH PLAIN; the reply. */
export function logIn(client: RawClient, name = 'app@example.test', password = 'open sesame'): Promise<string> {
  return client.say(`AUTH PLAIN ${Buffer.from(`\0${name}\0${password}`).toString('base64')}`);
}

/** One small transaction up to the 354 of DATA. */
export async function beginMessage(client: RawClient): Promise<void> {
  client.write('MAIL FROM:<a@sender.test>\r\nRCPT TO:<support@example.test>\r\nDATA\r\n');
  for (let replies = 0; replies < 3; replies++) await client.reply();
}
