// Debian's Firefox, headless, driven by WebDriver BiDi: one tab, its errors, clicks. It talks to loopback alone.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { conversation, startBrowser, untilOf } from './browser-process.ts';

export type FirefoxTab = {
  /** Loads a URL; that of the same page with another fragment, too. */
  readonly go: (url: string) => Promise<void>;
  /** The value of an expression in the page, as JSON; a promise is waited for. Rejects with what it threw. */
  readonly run: (expression: string) => Promise<any>;
  /** Polls until an expression is true and throws nothing; rejects with the page's text after `seconds`. */
  readonly until: (expression: string, seconds?: number) => Promise<void>;
  readonly resize: (width: number, height: number) => Promise<void>;
  /** A real click at a place of the window. */
  readonly click: (x: number, y: number) => Promise<void>;
  /** The URLs of all tabs. */
  readonly urls: () => Promise<readonly string[]>;
  /** Errors that pages have thrown or logged so far, those of documents that were blocked among them. */
  readonly errors: readonly string[];
  readonly close: () => Promise<void>;
};

/** What it does on its own account, turned off. */
const preferences = {
  'app.update.enabled': false,
  'browser.aboutwelcome.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'remote.prefs.recommended': true,
};

/** Starts it with a profile of its own. Rejects where it does not come up. */
export async function startFirefox(): Promise<FirefoxTab> {
  const { socket, close } = await startBrowser({
    command: 'firefox-esr',
    args: (folder) => {
      const lines = Object.entries(preferences).map(([name, value]) => `user_pref("${name}", ${value});\n`);
      writeFileSync(join(folder, 'user.js'), lines.join(''));
      return ['--headless', '--no-remote', '--profile', folder, '--remote-debugging-port', '0', 'about:blank'];
    },
    path: '/session',
  });
  const errors: string[] = [];
  socket.addEventListener('message', ({ data }) => {
    const { method, params } = JSON.parse(String(data));
    if (method === 'log.entryAdded' && params.level === 'error') errors.push(String(params.text));
  });
  const send = conversation(socket);
  await send('session.new', { capabilities: {} });
  await send('session.subscribe', { events: ['log.entryAdded'] });
  const { contexts } = await send('browsingContext.getTree');
  const { context } = contexts[0];
  const run: FirefoxTab['run'] = async (expression) => {
    const { type, result, exceptionDetails } = await send('script.evaluate', {
      expression: `Promise.resolve(${expression}).then((value) => JSON.stringify(value))`,
      target: { context },
      awaitPromise: true,
    });
    if (type === 'exception') throw new Error(exceptionDetails.text);
    return result.value === undefined ? undefined : JSON.parse(result.value);
  };
  return {
    run,
    until: untilOf(run),
    errors,
    close,
    go: (url) => send('browsingContext.navigate', { context, url, wait: 'complete' }),
    resize: (width, height) => send('browsingContext.setViewport', { context, viewport: { width, height } }),
    click: (x, y) => {
      const mouse = [
        { type: 'pointerMove', x: Math.round(x), y: Math.round(y) },
        { type: 'pointerDown', button: 0 },
        { type: 'pointerUp', button: 0 },
      ];
      return send('input.performActions', { context, actions: [{ type: 'pointer', id: 'mouse', actions: mouse }] });
    },
    urls: async () => (await send('browsingContext.getTree')).contexts.map(({ url }: { url: string }) => url),
  };
}
