// `npm run test:console`: every view of the console in a real browser, for axe (WCAG 2.2 AA and its own practices) in light and
// dark, and with thirty hostile mails at the widths of a phone, a tablet and a desktop. It takes minutes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { startOpsApi } from '#local/http/start-ops-api.ts';
import type { ChaosControl } from '#ops/chaos.ts';
import type { ChaosOutcome } from '#pipeline/chaos/outcome.ts';
import { type Browser, startChromium, type Tab } from '#test/support/peers/chromium.ts';
import { peerOptions } from '#test/support/peers/peers.ts';
import { hostileHost, hostileMails } from '#test/support/samples/hostile-mails.ts';
import { sampleId, sampleMessage, sampleWorld } from '#test/support/samples/sample-message.ts';
import { opsDeps } from '#test/support/worlds/ops-deps.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const sizes = [
  { width: 390, height: 844 },
  { width: 768, height: 1_024 },
  { width: 1_440, height: 900 },
  { width: 2_560, height: 1_440 },
] as const;
const fault: ChaosOutcome = {
  at: '2025-11-21T03:00:00.000Z',
  stage: 'rcpt',
  why: 'bounce-550@a.example asks',
  delaySeconds: 3,
  reply: '550 5.1.1 Chaos: refused on purpose',
  dropped: false,
  clientIp: '192.0.2.1',
  reversePath: 'bob@b.example',
  recipient: 'bounce-550@a.example',
  id: sampleId(9),
};
const chaos: ChaosControl = {
  now: async () => ({ isPossible: true, settings: null }),
  set: () => {},
  isSet: () => false,
  recent: () => [fault],
  of: () => [fault],
};
const tabs = ['html', 'text', 'files', 'links', 'headers', 'parts', 'checks', 'clients', 'timeline', 'raw'];

describe('the console', peerOptions('chromium'), () => {
  let browser: Browser;
  let tab: Tab;
  const asked: string[] = [];
  const closing: (() => unknown)[] = [];

  before(async () => {
    const elsewhere = createServer((socket) => {
      socket.on('data', (data) => asked.push(data.toString('latin1').split('\r\n')[0] ?? ''));
      socket.on('error', () => {});
      asked.push('a connection');
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    closing.push(() => elsewhere.close());
    const { port } = elsewhere.address() as AddressInfo;
    browser = await startChromium([`--host-resolver-rules=MAP ${hostileHost} 127.0.0.1:${port}`]);
    tab = await browser.open('about:blank');
  });
  after(async () => {
    await browser?.close();
    await Promise.all(closing.map((close) => close()));
  });

  async function start(fill: (world: ReturnType<typeof sampleWorld>) => void): Promise<string> {
    const world = sampleWorld();
    fill(world);
    const api = await startOpsApi(opsDeps(world, { chaos }));
    closing.push(api.close);
    return `http://127.0.0.1:${api.address.port}/`;
  }
  async function look(scheme: 'light' | 'dark', { width, height }: (typeof sizes)[number]): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: 1, mobile: width < 760 };
    await tab.send('Emulation.setDeviceMetricsOverride', metrics);
    await tab.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  }
  async function go(url: string, ready: string): Promise<void> {
    await tab.run(`location.href = ${JSON.stringify(url)}`);
    await tab.until(ready);
  }
  async function findings(): Promise<unknown> {
    await tab.run(`globalThis.axe === undefined && (0, eval)(${JSON.stringify(axe)})`);
    return tab.run(`axe.run(document, { iframes: false, resultTypes: ['violations'] }).then(({ violations }) =>
      violations.map(({ id, nodes }) => [id, ...nodes.slice(0, 3).map((node) => node.html + ' ' + node.failureSummary)]))`);
  }

  describe('has nothing that axe finds wrong', () => {
    let url = '';
    before(async () => {
      url = await start((world) => {
        const file = { sha256: '0'.repeat(64), contentId: null, inline: false, bytes: 3 };
        const attachments = ['a.png', 'b.txt', 'c.ics', 'd.zip'].map((filename, n) => ({
          ...file,
          filename,
          key: `attachments/x/${n}`,
          contentType: ['image/png', 'text/plain', 'text/calendar', 'application/zip'][n] ?? '',
        }));
        const html =
          '<p style="display:grid">Hello <a href="https://b.example/">c.example</a></p><img src="https://b.example/p">';
        world.addMessage(sampleMessage({ id: sampleId(9), html, attachments }), 'Subject: x\r\n\r\nHi\r\n');
        world.addMessage(
          sampleMessage({ id: sampleId(8), disposition: { action: 'quarantine', reason: 'DMARC failed' } }),
        );
        world.store.seed('attachments/x/1', 'text');
        world.store.seed('attachments/x/2', 'BEGIN:VEVENT\r\nSUMMARY:Call\r\nDTSTART:20261204\r\nEND:VEVENT\r\n');
        world.store.seed('suppressions/far.example/gone.json', JSON.stringify({ reason: '550 5.1.1 no such user' }));
      });
    });
    const open = `#/mail/${sampleId(9)}`;
    const views = [
      { hash: '#/mail', ready: `document.querySelector('.row') !== null`, act: '' },
      ...tabs.map((name) => ({
        hash: `${open}?tab=${name}`,
        ready: `document.querySelector('#tab-${name}[aria-selected=true]') !== null && !document.body.textContent.includes('Loading …')`,
        act: '',
      })),
      {
        hash: `${open}?tab=html&alone`,
        ready: `document.querySelector('.paper') !== null`,
        act: `document.querySelector('.alone').click()`,
        shows: `document.querySelector('.html-alone') !== null`,
      },
      {
        hash: `${open}?tab=text&tags`,
        ready: `document.querySelector('.tabs') !== null`,
        act: `[...document.querySelectorAll('button')].find((one) => one.textContent.trim() === 'Tag').click()`,
      },
      {
        hash: `${open}?tab=text&release`,
        ready: `document.querySelector('.tabs') !== null`,
        act: `[...document.querySelectorAll('button')].find((one) => one.textContent.trim() === 'Release').click()`,
        shows: `document.querySelector('.sheet input') !== null`,
      },
      {
        hash: `#/mail/${sampleId(8)}`,
        ready: `document.querySelector('.tabs') !== null`,
        act: `[...document.querySelectorAll('button')].find((one) => one.textContent.trim() === 'Move to inbox').click()`,
        shows: `document.querySelector('dialog[open]') !== null`,
      },
      { hash: '#/mail/01KAJ5XQ00000000000000ZZZZ', ready: `document.querySelector('.msg .bad') !== null`, act: '' },
      { hash: '#/deliveries', ready: `document.querySelector('table.work') !== null`, act: '' },
      { hash: '#/queues', ready: `document.querySelector('.dead') !== null`, act: '' },
      {
        hash: '#/queues?asks',
        ready: `document.querySelector('.dead') !== null`,
        act: `document.querySelector('main .act').click()`,
      },
      { hash: '#/chaos', ready: `document.querySelector('main table') !== null`, act: '' },
      { hash: '#/overview', ready: `document.querySelectorAll('.plot canvas').length === 3`, act: '' },
      {
        hash: '#/overview?span=7d',
        ready: `document.querySelectorAll('.plot canvas').length === 3`,
        act: `document.querySelector('.chart details').open = true`,
      },
      {
        hash: '#/mail?keys',
        ready: `document.querySelector('.row') !== null`,
        act: `document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '?', bubbles: true }))`,
      },
      {
        hash: '#/mail?q=ta',
        ready: `document.querySelector('.find input')?.value === 'ta'`,
        act: `document.querySelector('.find input').focus(); document.querySelector('.find input').click()`,
      },
    ];
    for (const scheme of ['light', 'dark'] as const) {
      for (const size of [sizes[0], sizes[2]]) {
        for (const { hash, ready, act, shows = 'true' } of views) {
          test(`${hash}, ${scheme}, ${size.width} px`, async () => {
            await look(scheme, size);
            await go('about:blank', 'true');
            await go(`${url}${hash}`, ready);
            if (act !== '') await tab.run(act);
            await tab.until(shows);
            assert.deepEqual(await findings(), []);
            assert.equal(await tab.run('document.documentElement.scrollWidth <= innerWidth'), true);
          });
        }
        test(`#/leave, ${scheme}, ${size.width} px`, async () => {
          await look(scheme, size);
          await go('about:blank', 'true');
          await go(
            `${url}#/leave?to=${encodeURIComponent('http://xn--bcher-kva.example/a?b=c')}`,
            `document.querySelector('h1') !== null`,
          );
          assert.deepEqual(await findings(), []);
        });
      }
    }
  });

  describe('shows hostile mail: nothing runs, nothing is loaded from elsewhere, nothing falls apart', () => {
    let url = '';
    before(async () => {
      url = await start((world) => {
        for (const { message, raw } of hostileMails) world.addMessage(message, raw);
      });
    });
    test('there are thirty', () => assert.equal(hostileMails.length, 30));
    for (const { about, message } of hostileMails) {
      test(about, async () => {
        for (const size of sizes) {
          await look('light', size);
          await go('about:blank', 'true');
          await go(`${url}#/mail/${message.id}`, `document.querySelector('.tabs') !== null`);
          for (const name of tabs) {
            if (!(await tab.run(`document.getElementById('tab-${name}') !== null`))) continue;
            await tab.run(`document.getElementById('tab-${name}').click()`);
            await tab.until(`!document.body.textContent.includes('Loading …')`);
            const wide = await tab.run(`['html', '.list', '.msg', '.top', '.stage'].filter((one) => {
              const element = document.querySelector(one);
              return element.scrollWidth > element.clientWidth + 1;
            })`);
            assert.deepEqual(wide, [], `${name} at ${size.width} px`);
          }
          assert.equal(await tab.run('globalThis.wasRun'), undefined);
          assert.equal(
            await tab.run(`document.querySelectorAll('script:not([src^="/main-"]), object, embed').length`),
            0,
          );
          assert.match(await tab.run('location.href'), /^http:\/\/127\.0\.0\.1:/);
        }
        assert.deepEqual(asked, []);
        assert.equal((await browser.tabs()).length, 2);
      });
    }
  });
});
