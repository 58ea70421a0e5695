// The page in a real browser: many tabs, links of HTML mail, one's place in the list, names that turn themselves around.
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { type OpsApi, startOpsApi } from '#local/http/start-ops-api.ts';
import { type Browser, startChromium, type Tab } from '#test/support/peers/chromium.ts';
import { peerOptions } from '#test/support/peers/peers.ts';
import { type SampleWorld, sampleId, sampleMessage, sampleWorld } from '#test/support/samples/sample-message.ts';
import { sharedStopwatch } from '#test/support/time/stopwatch.ts';
import { eventually } from '#test/support/worlds/local-service.ts';
import { opsDeps } from '#test/support/worlds/ops-deps.ts';

describe('the page in a browser', peerOptions('chromium'), () => {
  let browser: Browser;
  const closing: (() => unknown)[] = [];
  before(async () => {
    browser = await startChromium();
  });
  after(async () => {
    await browser?.close();
    await Promise.all(closing.map((close) => close()));
  });

  async function start(mails = 0): Promise<{ world: SampleWorld; api: OpsApi; url: string }> {
    const world = sampleWorld();
    for (let n = 1; n <= mails; n += 1) world.addMessage(sampleMessage({ id: sampleId(n), subject: `Mail ${n}.` }));
    const api = await startOpsApi(opsDeps(world));
    closing.push(api.close);
    return { world, api, url: `http://127.0.0.1:${api.address.port}/` };
  }
  const shows = (text: string) => `document.body.textContent.includes(${JSON.stringify(text)})`;
  /** Where the row of a mail is in the window, in pixels. */
  const topOf = (tab: Tab, n: number): Promise<number> =>
    tab.run(
      `[...document.querySelectorAll('.row')].find((row) => row.textContent.includes('Mail ${n}.')).getBoundingClientRect().top`,
    );

  test('eight tabs show new mail within two seconds, also when the one that listens is closed, and one without locks', async () => {
    const { world, url } = await start();
    const plain = await browser.open('about:blank'); // as it is off loopback without TLS: there are no locks
    await plain.send('Page.enable');
    const source = `Object.defineProperty(navigator, 'locks', { value: undefined })`;
    await plain.send('Page.addScriptToEvaluateOnNewDocument', { source });
    await plain.send('Page.navigate', { url });
    await plain.until(`document.getElementById('status').innerText.trim() === 'Looks for news every 4 s'`);
    const tabs: Tab[] = [];
    for (let n = 0; n < 8; n += 1) tabs.push(await browser.open(url));
    await Promise.all(tabs.map((tab) => tab.until(shows('No mail here yet'))));
    await Promise.all(tabs.map((tab) => tab.until(`document.getElementById('status').innerText.trim() === 'Live'`)));
    const elapsedMs = sharedStopwatch();
    world.addMessage(sampleMessage({ subject: 'To all tabs' }));
    await Promise.all(tabs.map((tab) => tab.until(shows('To all tabs'))));
    assert.ok(elapsedMs() < 2_000, `only after ${elapsedMs()} ms`);
    await tabs.shift()?.close();
    await tabs.shift()?.close();
    world.addMessage(sampleMessage({ id: sampleId(2), subject: 'To those that are left' }));
    await Promise.all(tabs.map((tab) => tab.until(shows('To those that are left'))));
    await plain.until(shows('To those that are left'));
    await Promise.all([plain, ...tabs].map((tab) => tab.close()));
  });

  test('a link of an HTML mail opens in a new tab that learns nothing of the page', async () => {
    const asked: IncomingMessage[] = [];
    const far = createServer((request, response) => {
      asked.push(request);
      response.setHeader('content-type', 'text/html');
      response.end('<script>document.title = `opener: ` + opener</script>');
    });
    await new Promise<void>((resolve) => far.listen(0, '127.0.0.1', resolve));
    closing.push(
      () => far.closeAllConnections(),
      () => far.close(),
    );
    const address = far.address();
    const there = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    const { world, url } = await start();
    const link = (href: string, y: number, more = '') =>
      `<a href="${href}" ${more} style="position:absolute;left:0;top:${y}px;width:300px;height:30px">link</a>`;
    const picture = `<img src="${there}/picture">`;
    const html = [
      link(`${there}/plain`, 0),
      link(`${there}/top`, 40, 'target=_top rel=opener'),
      link('javascript:top.document.title=1', 80),
      picture,
    ];
    world.addMessage(sampleMessage({ html: html.join('') }));
    const tab = await browser.open(`${url}#/mail/${sampleId()}`);
    await tab.until(`document.querySelector('iframe') !== null`);
    const { x, y } = await tab.run(`document.querySelector('iframe').getBoundingClientRect().toJSON()`);
    const urls = () => asked.map((request) => request.url);
    /** Clicks until the frame has loaded, and a tab says where the link leads; follows it there. */
    const follow = async (top: number, path: string): Promise<void> => {
      const leads = ({ url: at }: { url: string }) =>
        at === `${url}#/leave?to=${encodeURIComponent(`${there}${path}`)}`;
      await eventually(`the page before ${path}`, async () => {
        if ((await browser.tabs()).some(leads)) return true;
        await tab.click(x + 20, y + top);
        await new Promise((resolve) => setTimeout(resolve, 100));
        return false;
      });
      const [before] = (await browser.tabs()).filter(leads);
      assert.ok(!urls().includes(path), 'it was followed before it was said where it leads');
      const asks = await browser.attach(before?.targetId ?? '');
      await asks.until(shows(`${there.replace('http://', '')}`));
      await asks.run(`document.querySelector('a.primary').click()`);
      await eventually(path, () => urls().includes(path));
    };
    await follow(15, '/plain');
    await tab.click(x + 20, y + 95);
    await follow(55, '/top');
    assert.ok(!urls().includes('/picture'), 'a picture was loaded');
    for (const { url: path, headers } of asked) {
      if (path !== '/favicon.ico') assert.equal(headers.referer, undefined);
    }
    for (const path of ['/plain', '/top']) {
      await eventually(`the tab of ${path}`, async () =>
        (await browser.tabs()).some(({ url: at, title }) => at === `${there}${path}` && title === 'opener: null'),
      );
    }
    assert.equal(await tab.run('location.href'), `${url}#/mail/${sampleId()}`);
    assert.match(await tab.run('document.title'), /Pillarbox$/);
    await tab.close();
    const view = await browser.open(`${url}view/latest.html`); // Mailpit's, for a test that clicks through
    await view.until(`document.querySelector('a') !== null`);
    await view.click(20, 15);
    await view.until(`location.href === '${there}/plain'`);
    assert.ok(!urls().includes('/picture'), 'a picture was loaded');
  });

  test('new mail, older mail, a message read and a reload leave the list where it was', async () => {
    const { world, url } = await start(120);
    const tab = await browser.open(url);
    await tab.until(shows('Mail 71.'));
    await tab.run(`document.querySelector('.rows').scrollTo(0, 1e6)`); // older mail loads by itself
    await tab.until(shows('Mail 21.'));
    await tab.run(
      `[...document.querySelectorAll('.row')].find((row) => row.textContent.includes('Mail 60.')).scrollIntoView()`,
    );
    await tab.run(
      `[...document.querySelectorAll('.row a')].find((one) => one.textContent.includes('Mail 55.')).focus({ preventScroll: true })`,
    );
    const top = await topOf(tab, 60);
    for (let n = 121; n <= 123; n += 1) world.addMessage(sampleMessage({ id: sampleId(n), subject: `Mail ${n}.` }));
    await tab.until(`document.querySelector('.newer')?.innerText.startsWith('3 new')`);
    assert.ok(Math.abs((await topOf(tab, 60)) - top) <= 3, 'the list moved as mail came in');
    assert.match(await tab.run('document.activeElement.innerText'), /Mail 55\./);
    assert.ok(await tab.run(shows('Mail 21.')), 'what was loaded is gone');

    await tab.run(`location.hash = '#/mail/${sampleId(60)}'`);
    await tab.until(`document.querySelector('h1').innerText === 'Mail 60.'`);
    world.addMessage(sampleMessage({ id: sampleId(124), subject: 'Mail 124.' }));
    await tab.until(shows('Mail 124.'));
    await tab.run('history.back()');
    await tab.until(`document.querySelector('.tabs') === null`);
    assert.ok(Math.abs((await topOf(tab, 60)) - top) <= 3, 'the list moved while a message was read');

    await tab.run(`location.hash = '#/mail/${sampleId(60)}'`);
    await tab.until(`document.querySelector('.tabs') !== null`);
    await tab.run('globalThis.isOld = true');
    await tab.send('Page.reload');
    await tab.until(
      `globalThis.isOld === undefined && ${shows('Mail 21.')} && document.querySelector('.tabs') !== null`,
    );
    assert.ok(
      Math.abs((await topOf(tab, 60)) - top) <= 3,
      `the list moved on reload by ${(await topOf(tab, 60)) - top}`,
    );
    assert.match(await tab.run(`document.querySelector('.row a[aria-current]').innerText`), /Mail 60\./);
    await tab.run(`document.querySelector('.rows').scrollTo(0, 0)`);
    world.addMessage(sampleMessage({ id: sampleId(125), subject: 'Mail 125.' }));
    await tab.until(shows('Mail 125.'));
    assert.equal(await tab.run(`document.querySelector('.rows').scrollTop`), 0);
    assert.equal(await tab.run(`document.querySelector('.newer')`), null);
    await tab.close();
  });

  test('a name changes the writing direction of nothing beside it, and its direction characters are shown', async () => {
    const { world, url } = await start();
    const evil = '\u202egnp.exe\u202c';
    world.addMessage(
      sampleMessage({
        subject: `Bill ${evil}`,
        from: [{ name: `${evil}boss`, address: 'bob@b.example', group: null }],
        to: [{ name: '\u05d0\u05d1', address: 'ann@a.example', group: null }],
        text: `pay \u202e001\u202c now\n`,
        attachments: [
          {
            filename: `bill-${evil}${'n'.repeat(200)}`,
            contentType: 'image/png',
            bytes: 3,
            sha256: '0'.repeat(64),
            key: 'attachments/x/1',
            contentId: null,
            inline: false,
          },
        ],
      }),
    );
    const tab = await browser.open(url);
    await tab.until(shows('Bill'));
    const shown = async () => {
      const text: string = await tab.run('document.body.innerText');
      assert.doesNotMatch(text, /[\u202a-\u202e\u2066-\u2069]/);
      return text;
    };
    assert.match(await shown(), /\[U\+202E\]gnp\.exe\[U\+202C\]boss/);
    await tab.run(`document.querySelector('.row a').click()`);
    await tab.until(`document.querySelector('.tabs') !== null`);
    assert.match(await shown(), /\[U\+202E\]gnp\.exe\[U\+202C\]boss <bob@b\.example>/);
    assert.match(await shown(), /pay \[U\+202E\]001\[U\+202C\] now/);
    assert.match(await shown(), /bill-\[U\+202E\]gnp\.exe/);
    // The address stands to the right of a name that is written from right to left.
    const [name, address] = await tab.run(
      `[...document.querySelectorAll('.people bdi')].map((one) => one.getBoundingClientRect().left)`,
    );
    assert.ok(name < address);
    await tab.run(`document.getElementById('tab-files').click()`);
    await tab.until(`document.querySelector('.attachments') !== null`);
    assert.match(await shown(), /bill-\[U\+202E\]gnp\.exe/);
    // A long file name makes the page no wider than the window.
    assert.ok(await tab.run('document.documentElement.scrollWidth <= innerWidth'));
    await tab.close();
  });

  test('on a phone every button of queues and suppressed addresses is within the window', async () => {
    const { world, url } = await start();
    world.store.seed('suppressions/far.example/gone.json', JSON.stringify({ reason: '550 5.1.1 no such user' }));
    const tab = await browser.open('about:blank');
    const size = { width: 390, height: 844, deviceScaleFactor: 1, mobile: true };
    await tab.send('Emulation.setDeviceMetricsOverride', size);
    for (const [view, label] of [
      ['queues', 'Try again'],
      ['deliveries', 'Write to it again'],
    ]) {
      await tab.run(`location.href = '${url}#/${view}'`);
      await tab.until(shows(label ?? ''));
      const ends = `[...document.querySelectorAll('main button')].map((one) => one.getBoundingClientRect().right)`;
      const furthest: number = await tab.run(`Math.max(...${ends})`);
      assert.ok(furthest <= size.width, `${label} ends at ${furthest}`);
    }
    await tab.close();
  });
});
