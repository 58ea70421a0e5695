// What the browsers of tests have in common: a process with a profile of its own, a socket on which commands are answered, and waiting
// for what a page shows.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findPeer } from './peers.ts';

export type BrowserProcess = { readonly socket: WebSocket; readonly close: () => Promise<void> };
/** Rejects with what the browser says of a command that failed. */
export type Send = (method: string, params?: object, sessionId?: string) => Promise<any>;

type Started = {
  readonly command: string;
  /** Its command line; the folder is new, and goes when it is closed. */
  readonly args: (folder: string) => readonly string[];
  /** What follows the address that it says it listens at. */
  readonly path: string;
};

const startMs = 60_000;

/** Rejects with what it said where it does not come up. */
export async function startBrowser({ command, args, path }: Started): Promise<BrowserProcess> {
  const folder = mkdtempSync(join(tmpdir(), `pillarbox-${command}-`));
  const child = spawn(findPeer(command) ?? command, args(folder), {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
    env: { ...process.env, HOME: folder },
  });
  const gone = once(child, 'exit');
  const socket = new WebSocket(`${await addressOf(command, child.stderr)}${path}`);
  await once(socket, 'open', { signal: AbortSignal.timeout(startMs) });
  return {
    socket,
    close: async () => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      await gone;
      rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

async function addressOf(command: string, stderr: NodeJS.ReadableStream): Promise<string> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: stderr, signal: AbortSignal.timeout(startMs) })) {
    const address = /listening on (ws:\S*)$/.exec(line)?.[1];
    if (address !== undefined) return address;
    lines.push(line);
  }
  throw new Error(`${command} did not start:\n${lines.join('\n')}`);
}

/** Commands and their answers, as the DevTools protocol and WebDriver BiDi have them. */
export function conversation(socket: WebSocket): Send {
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let last = 0;
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error, message } = JSON.parse(String(data));
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error) asked?.reject(new Error(error.message ?? `${error}: ${message}`));
    else asked?.resolve(result);
  });
  return (method, params = {}, sessionId = undefined) =>
    new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, { resolve, reject });
      socket.send(JSON.stringify({ id: last, method, params, sessionId }));
    });
}

/** Polls until an expression is true and throws nothing; rejects with the page's text after `seconds`. */
export function untilOf(run: (expression: string) => Promise<any>) {
  return async (expression: string, seconds = 10): Promise<void> => {
    const end = performance.now() + seconds * 1_000;
    while (!(await run(expression).catch(() => false))) {
      if (performance.now() < end) continue;
      throw new Error(`not in ${seconds} s: ${expression}\n${await run('document.body.innerText.slice(0, 500)')}`);
    }
  };
}
