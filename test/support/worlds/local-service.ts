// `npm start` as a child process, on free ports, in a folder of its own: for end-to-end tests.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { sharedBundles } from '#test/support/aws/shared-bundles.ts';

const main = fileURLToPath(new URL('../../../local/main.ts', import.meta.url));
const startMs = 90_000;

export type LocalService = {
  readonly ports: { readonly mx: number; readonly submission: number; readonly submissions: number };
  readonly http: string;
  readonly child: ChildProcess;
  /** All that was written to standard output and to standard error so far. */
  readonly output: () => string;
  readonly errors: () => string;
  readonly json: (path: string, init?: RequestInit) => Promise<any>;
  /** SIGTERM; the exit code. */
  readonly stop: () => Promise<number | null>;
  /** kill -9, and until it is gone. */
  readonly kill: () => Promise<void>;
};

export type ServiceOptions = {
  readonly folder: string;
  /** The data folder; left out: `data` in the folder. */
  readonly data?: string;
  /** Null: there is no configuration. Left out: the one that is there, or for `startLocalService` capture mode on free ports. */
  readonly config?: ConfigInput | null;
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
};

/** A process that was started, whether or not it comes up. */
export function spawnService({ folder, data = dataOf(folder), config, args = [], environment = {} }: ServiceOptions) {
  const path = join(folder, 'pillarbox.json');
  if (config === null) rmSync(path, { force: true });
  else if (config !== undefined) writeFileSync(path, JSON.stringify(config));
  const named = args.includes('--data') ? [] : ['--data', data];
  const child = spawn(process.execPath, [main, ...named, '--http', '0', ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  const texts = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    texts.out += piece;
  });
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    texts.err += piece;
  });
  const exited = once(child, 'close');
  return { child, exited, output: () => texts.out, errors: () => texts.err };
}

function dataOf(folder: string): string {
  return join(folder, 'data');
}

/** Starts it and waits until it is up; it is killed when the test ends. */
export async function startLocalService(t: Pick<TestContext, 'after'>, options: ServiceOptions): Promise<LocalService> {
  const listeners = (['mx', 'submission', 'submissions'] as const).map((role) => ({ role, port: 0 }));
  const running = join(options.data ?? dataOf(options.folder), 'running.json');
  rmSync(running, { force: true });
  const isEmulator = options.args?.includes('emulator') === true;
  const bundles = isEmulator ? { PILLARBOX_BUNDLES: join(await sharedBundles(), 'functions') } : {};
  const { child, exited, output, errors } = spawnService({
    ...options,
    environment: { ...bundles, ...options.environment },
    config: options.config === null ? null : { mode: 'capture', listeners, ...options.config },
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const end = Date.now() + startMs;
  while (!errors().includes('Ctrl-C')) {
    if (child.exitCode !== null || Date.now() > end) throw new Error(`it did not start:\n${errors()}\n${output()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { listeners: opened, http } = JSON.parse(readFileSync(running, 'utf8'));
  const port = (role: string): number => opened.find((entry: any) => entry.role === role)?.port ?? 0;
  return {
    ports: { mx: port('mx'), submission: port('submission'), submissions: port('submissions') },
    http,
    child,
    output,
    errors,
    json: async (path, init) => {
      const response = await fetch(`${http}${path}`, init);
      return response.json();
    },
    stop: async () => {
      child.kill('SIGTERM');
      const [code] = await exited;
      return code;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/**
 * Polls until the condition answers something true; fails after the time is over. The longer it has waited the rarer it
 * asks, at most 4 times a second: who asks takes the processor from what is waited for.
 */
export async function eventually<T>(
  what: string,
  condition: () => Promise<T> | T,
  seconds = 30,
): Promise<Exclude<T, null | undefined | false>> {
  const start = performance.now();
  for (;;) {
    const answer = await condition();
    if (answer) return answer as Exclude<T, null | undefined | false>;
    const waitedMs = performance.now() - start;
    if (waitedMs > seconds * 1_000) throw new Error(`${what}: not in ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(250, Math.max(20, waitedMs / 20))));
  }
}

/** Every message that the service lists, page by page. */
export async function allMessages(service: Pick<LocalService, 'json'>): Promise<readonly any[]> {
  const messages: any[] = [];
  let after: string | null = null;
  do {
    const page: any = await service.json(
      `/api/messages?limit=500${after === null ? '' : `&after=${encodeURIComponent(after)}`}`,
    );
    messages.push(...page.messages);
    after = page.next;
  } while (after !== null);
  return messages;
}

/** Waits until no queue has anything left to do. */
export async function drained(service: Pick<LocalService, 'json'>, seconds = 120): Promise<void> {
  await eventually(
    'the queues drain',
    async () => {
      const queues: any[] = await service.json('/api/queues');
      return queues.every(({ ready, delayed, inFlight }) => ready + delayed + inFlight === 0);
    },
    seconds,
  );
}
