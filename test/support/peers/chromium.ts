// A real browser (Debian's chromium, headless) driven over the DevTools protocol: tabs, clicks, scrolling, pictures of the
// page. It talks to loopback alone and leaves nothing behind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findPeer } from './peers.ts';

export type Tab = {
  readonly targetId: string;
  /** The value of an expression in the page; a promise is waited for. Rejects with what it threw. */
  readonly run: (expression: string) => Promise<any>;
  /** Polls until an expression is true and throws nothing; rejects with the page's text after `seconds`. */
  readonly until: (expression: string, seconds?: number) => Promise<void>;
  /** A real click at a place of the window. */
  readonly click: (x: number, y: number) => Promise<void>;
  /** A command of the DevTools protocol for this tab. */
  readonly send: (method: string, params?: object) => Promise<any>;
  readonly screenshot: (path: string) => Promise<void>;
  readonly close: () => Promise<void>;
};

export type Browser = {
  /** Opens a tab at a URL; it may still be loading. */
  readonly open: (url: string) => Promise<Tab>;
  /** All tabs there are. */
  readonly tabs: () => Promise<readonly { readonly targetId: string; readonly url: string; readonly title: string }[]>;
  /** A tab that was opened by another. */
  readonly attach: (targetId: string) => Promise<Tab>;
  readonly close: () => Promise<void>;
};

const flags = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--remote-debugging-port=0',
];
const startMs = 60_000;

/** Starts it in a folder of its own; `more` are flags of its command line. Rejects where it does not come up. */
export async function startChromium(more: readonly string[] = []): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-chromium-'));
  const args = [...flags, ...more, `--user-data-dir=${folder}`, 'about:blank'];
  const child = spawn(findPeer('chromium') ?? 'chromium', args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  const gone = once(child, 'exit');
  const socket = new WebSocket(await addressOf(child.stderr));
  await once(socket, 'open', { signal: AbortSignal.timeout(startMs) });
  const send = conversation(socket);
  const attach = async (targetId: string): Promise<Tab> => {
    const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
    return tabOf(targetId, (method, params) => send(method, params, sessionId), send);
  };
  return {
    open: async (url) => attach((await send('Target.createTarget', { url })).targetId),
    attach,
    tabs: async () => {
      const { targetInfos } = await send('Target.getTargets');
      return targetInfos.filter(({ type }: any) => type === 'page');
    },
    close: async () => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      await gone;
      rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

async function addressOf(stderr: NodeJS.ReadableStream): Promise<string> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: stderr, signal: AbortSignal.timeout(startMs) })) {
    const address = /^DevTools listening on (ws:.*)$/.exec(line)?.[1];
    if (address !== undefined) return address;
    lines.push(line);
  }
  throw new Error(`chromium did not start:\n${lines.join('\n')}`);
}

type Send = (method: string, params?: object, sessionId?: string) => Promise<any>;

function conversation(socket: WebSocket): Send {
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let last = 0;
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error } = JSON.parse(String(data));
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error) asked?.reject(new Error(error.message));
    else asked?.resolve(result);
  });
  return (method, params = {}, sessionId = undefined) =>
    new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, { resolve, reject });
      socket.send(JSON.stringify({ id: last, method, params, sessionId }));
    });
}

function tabOf(targetId: string, send: (method: string, params?: object) => Promise<any>, toBrowser: Send): Tab {
  const run: Tab['run'] = async (expression) => {
    const { result, exceptionDetails } = await send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  return {
    targetId,
    run,
    send,
    until: async (expression, seconds = 10) => {
      const end = performance.now() + seconds * 1_000;
      while (!(await run(expression).catch(() => false))) {
        if (performance.now() < end) continue;
        throw new Error(`not in ${seconds} s: ${expression}\n${await run('document.body.innerText.slice(0, 500)')}`);
      }
    },
    click: async (x, y) => {
      const mouse = { x, y, button: 'left', clickCount: 1 };
      await send('Input.dispatchMouseEvent', { ...mouse, type: 'mousePressed' });
      await send('Input.dispatchMouseEvent', { ...mouse, type: 'mouseReleased' });
    },
    screenshot: async (path) => {
      const { data } = await send('Page.captureScreenshot', { format: 'png' });
      writeFileSync(path, Buffer.from(data, 'base64'));
    },
    close: async () => {
      await toBrowser('Target.closeTarget', { targetId });
    },
  };
}
