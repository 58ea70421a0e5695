// `npm run test:console`, too: the views of the console in a browser of another make, on a phone and on a desktop.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type OpsApi, startOpsApi } from '#local/http/start-ops-api.ts';
import { type FirefoxTab, startFirefox } from '#test/support/peers/firefox.ts';
import { peerOptions } from '#test/support/peers/peers.ts';
import { sampleId, sampleMessage, sampleWorld } from '#test/support/samples/sample-message.ts';
import { eventually } from '#test/support/worlds/local-service.ts';
import { opsDeps } from '#test/support/worlds/ops-deps.ts';

const html = `<p style="display:grid">Hello</p><script>top.wasRun = 1</script><img src="data:," onerror="top.wasRun = 1">
  <a href="http://far.example/" style="position:absolute;left:0;top:60px;width:200px;height:40px">far</a>`;
const views = [
  ['#/mail', `document.querySelectorAll('.row').length === 2`],
  ...['html', 'text', 'files', 'links', 'headers', 'parts', 'checks', 'clients', 'timeline', 'raw'].map((name) => [
    `#/mail/${sampleId(2)}?tab=${name}`,
    `document.querySelector('#tab-${name}[aria-selected=true]') !== null && document.querySelector('#stage > *') !== null`,
  ]),
  ['#/deliveries', `document.querySelector('table.work') !== null`],
  ['#/queues', `document.querySelector('.dead') !== null`],
  ['#/overview', `document.querySelectorAll('.plot canvas').length === 3`],
  ['#/chaos', `document.querySelector('input[name=words]') !== null`],
  ['#/leave?to=http%3A%2F%2Ffar.example%2F', `document.querySelector('a.primary') !== null`],
] as const;

describe('in Firefox', peerOptions('firefox-esr'), () => {
  let firefox: FirefoxTab;
  let api: OpsApi;
  let url = '';
  before(async () => {
    const world = sampleWorld();
    const file = { filename: 'a.txt', contentType: 'text/plain', bytes: 4, sha256: '0'.repeat(64) };
    const attachments = [{ ...file, key: 'attachments/x/1', contentId: null, inline: false }];
    world.addMessage(sampleMessage({ id: sampleId(1) }));
    world.addMessage(sampleMessage({ id: sampleId(2), html, attachments }), 'Subject: x\r\n\r\nHi\r\n');
    world.store.seed('attachments/x/1', 'text');
    world.store.seed('suppressions/far.example/gone.json', JSON.stringify({ reason: '550 5.1.1 no such user' }));
    api = await startOpsApi(opsDeps(world));
    url = `http://127.0.0.1:${api.address.port}/`;
    firefox = await startFirefox();
  });
  after(async () => {
    await firefox?.close();
    await api?.close();
  });

  for (const [width, height] of [
    [390, 844],
    [1_440, 900],
  ] as const) {
    test(`each view is shown without an error, and within ${width} px`, async () => {
      await firefox.resize(width, height);
      await firefox.go('about:blank');
      for (const [hash = '', ready = ''] of views) {
        await firefox.go(`${url}${hash}`);
        await firefox.until(`${ready} && !document.body.textContent.includes('Loading …')`);
        const wide = await firefox.run(`['html', '.list', '.msg', '.top', '.stage', '.work-view'].filter((one) => {
          const element = document.querySelector(one);
          return element !== null && element.scrollWidth > element.clientWidth + 1;
        })`);
        assert.deepEqual(wide, [], hash);
        assert.equal(await firefox.run('globalThis.wasRun === undefined'), true, hash);
      }
      assert.deepEqual(firefox.errors, []);
    });
  }

  test('a link of an HTML mail opens a tab that says where it leads', async () => {
    await firefox.go('about:blank');
    await firefox.go(`${url}#/mail/${sampleId(2)}`);
    await firefox.until(`document.querySelector('iframe') !== null`);
    const { x, y } = await firefox.run(`document.querySelector('iframe').getBoundingClientRect().toJSON()`);
    const leads = `${url}#/leave?to=${encodeURIComponent('http://far.example/')}`;
    await eventually('the tab', async () => {
      if ((await firefox.urls()).includes(leads)) return true;
      await firefox.click(x + 50, y + 80);
      await new Promise((resolve) => setTimeout(resolve, 200));
      return false;
    });
  });
});
