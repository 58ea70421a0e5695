// `startMail`: a capture server of its own within the test's process, on free ports, over a folder that goes when it stops. A
// composition root like local/main.ts, without a terminal: it asks no DNS, reads no environment, and installs no handlers.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectOptions, connectMail, type Mail } from './connect-mail.ts';

/**
 * `smtpPort`, `httpPort`: 0 (any free one) unless given. `domain`: of the addresses that `mailbox` makes (`example.com`). `chaos`: faults
 * to make on purpose, `on` for those that addresses ask for (docs/chaos.md). `onProblem`: is told of what the server logs as a warning or
 * error; left out: standard error.
 */
export type StartOptions = Pick<ConnectOptions, 'domain'> & {
  readonly smtpPort?: number;
  readonly httpPort?: number;
  readonly chaos?: string;
  readonly onProblem?: (line: string) => void;
};

/** A server in this process. `smtp.url`: `smtp://127.0.0.1:PORT`; it takes any log-in, and mail to anybody, and sends nothing on. */
export type MailServer = Mail & {
  readonly smtp: { readonly host: string; readonly port: number; readonly url: string };
  /** Ends it, and deletes its mail. Nothing stays open. */
  readonly stop: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

const host = '127.0.0.1';

/** Starts one. Rejects where a port is taken, or below Node 22.13, which has no SQLite. */
export async function startMail({
  smtpPort = 0,
  httpPort = 0,
  chaos,
  domain,
  onProblem = (line) => process.stderr.write(line),
}: StartOptions = {}): Promise<MailServer> {
  needSqlite();
  const { startCaptureServer } = await import('./capture-server.ts');
  const folder = await mkdtemp(join(tmpdir(), 'pillarbox-'));
  const remove = () => rm(folder, { recursive: true, force: true, maxRetries: 3 });
  let stopped: Promise<void> | null = null;
  try {
    const running = await startCaptureServer({
      folder,
      host,
      smtpPort,
      httpPort,
      chaos: chaos ?? null,
      // Stopping in the middle of work is no problem of the test's.
      write: (line) => stopped === null && onProblem(line),
    });
    const port = running.smtpPort;
    const stop = (): Promise<void> => {
      stopped ??= running.close().then(remove);
      return stopped;
    };
    return {
      ...connectMail(`http://${host}:${running.httpPort}`, domain === undefined ? {} : { domain }),
      smtp: { host, port, url: `smtp://${host}:${port}` },
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

function needSqlite(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 13)) return;
  throw new Error(
    `startMail needs Node.js 22.13 or newer, and this is ${process.versions.node}. Start the server beside the tests (npx pillarbox) and use connectMail.`,
  );
}
