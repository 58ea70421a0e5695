// A real browser (Debian's chromium, headless) driven over the DevTools protocol: tabs, clicks, scrolling, pictures of the
// page. It talks to loopback alone and leaves nothing behind.
import { writeFileSync } from 'node:fs';
import { conversation, type Send, startBrowser, untilOf } from './browser-process.ts';

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

/** Starts it in a folder of its own; `more` are flags of its command line. Rejects where it does not come up. */
export async function startChromium(more: readonly string[] = []): Promise<Browser> {
  const { socket, close } = await startBrowser({
    command: 'chromium',
    args: (folder) => [...flags, ...more, `--user-data-dir=${folder}`, 'about:blank'],
    path: '',
  });
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
    close,
  };
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
    until: untilOf(run),
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
