// `npm run test:console`, too: what a person can do in the console, by mouse and by keys, and what takes it back.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type OpsApi, startOpsApi } from '#local/http/start-ops-api.ts';
import { formatAddress } from '#mail/address/address.ts';
import { receivedAtOf } from '#mail/header/message-id.ts';
import type { ChaosControl } from '#ops/chaos.ts';
import type { AcceptMessage } from '#ops/releases/accept-message.ts';
import type { Releases } from '#ops/releases/release-message.ts';
import type { ChaosSettings } from '#pipeline/chaos/settings.ts';
import { deliveryKey } from '#pipeline/contract/keys.ts';
import { newDeliveryState } from '#pipeline/contract/records/delivery.ts';
import { inboxMessageRecord } from '#pipeline/contract/records/inbox-message.ts';
import { marksRecord } from '#pipeline/contract/records/marks.ts';
import { type Browser, startChromium, type Tab } from '#test/support/peers/chromium.ts';
import { peerOptions } from '#test/support/peers/peers.ts';
import { sampleDeliverJob } from '#test/support/samples/sample-jobs.ts';
import { type SampleWorld, sampleId, sampleMessage, sampleWorld } from '#test/support/samples/sample-message.ts';
import { eventually } from '#test/support/worlds/local-service.ts';
import { opsDeps } from '#test/support/worlds/ops-deps.ts';

type ReleaseRequestSeen = { readonly id: string; readonly to: readonly string[]; readonly by: string };

describe('in the console', peerOptions('chromium'), () => {
  let browser: Browser;
  let tab: Tab;
  let world: SampleWorld;
  let api: OpsApi;
  let url = '';
  let chaos: ChaosSettings | null = null;
  const chaosControl: ChaosControl = {
    now: async () => ({ isPossible: true, settings: chaos }),
    set: (settings) => {
      chaos = settings;
    },
    isSet: () => true,
    recent: () => [],
    of: () => [],
  };
  let allowed: readonly string[] = [];
  const released: ReleaseRequestSeen[] = [];
  /** Who is of far.example may get a message, and the host there knows nobody. */
  const releases: Releases = {
    rules: async () => ({ to: [...allowed], reversePath: null }),
    release: async ({ id, to, by }) => {
      if (to.some(({ domain }) => domain !== 'far.example')) {
        return { outcome: 'not-allowed', reason: 'release.to in the configuration does not allow it' };
      }
      const addresses = to.map(formatAddress);
      released.push({ id, to: addresses, by });
      const state = newDeliveryState({ ...sampleDeliverJob(), id: sampleId(8), domain: 'far.example' }, Date.now());
      const recipients = state.recipients.map((one) => ({ ...one, state: 'bounced', reason: '550 no such user' }));
      const key = deliveryKey({ id: sampleId(8), receivedAt: receivedAtOf(sampleId(8)), domain: 'far.example' });
      world.store.seed(key, JSON.stringify({ ...state, state: 'bounced', recipients }));
      return {
        outcome: 'queued',
        id: sampleId(8),
        to: addresses,
        domains: ['far.example'],
        reversePath: '',
        failed: [],
      };
    },
  };
  let endQuarantine = async (): Promise<unknown> => null;
  /** As stage parse does it, whose last step is `endQuarantine`. */
  const acceptMessage: AcceptMessage = async ({ id, by }) => {
    const [key = ''] = await world.admin.findMessage(id);
    const message = await inboxMessageRecord.find(world.store, key);
    assert.ok(message !== null);
    const { reason } = message.disposition;
    const disposition = { action: 'accept', reason, released: { at: new Date().toISOString(), by } } as const;
    world.addMessage({ ...message, disposition });
    endQuarantine = () => world.store.delete(key);
    return { outcome: 'queued', mailboxes: ['ann@a.example'] };
  };
  before(async () => {
    browser = await startChromium();
    tab = await browser.open('about:blank');
    const metrics = { width: 1_440, height: 900, deviceScaleFactor: 1, mobile: false };
    await tab.send('Emulation.setDeviceMetricsOverride', metrics);
  });
  after(async () => {
    await browser?.close();
    await api?.close();
  });
  beforeEach(async () => {
    await tab.send('Page.navigate', { url: 'about:blank' });
    await api?.close();
    world = sampleWorld();
    for (let n = 1; n <= 3; n += 1) world.addMessage(sampleMessage({ id: sampleId(n), subject: `Mail ${n}.` }));
    world.store.seed('suppressions/far.example/gone.json', JSON.stringify({ reason: '550 5.1.1 no such user' }));
    chaos = null;
    allowed = ['*@far.example'];
    released.length = 0;
    api = await startOpsApi(opsDeps(world, { chaos: chaosControl, releases, acceptMessage }));
    url = `http://127.0.0.1:${api.address.port}/`;
  });

  async function go(hash: string, ready: string): Promise<void> {
    await tab.send('Page.navigate', { url: 'about:blank' });
    await tab.send('Page.navigate', { url: `${url}${hash}` });
    await tab.until(ready);
  }
  async function press(key: string): Promise<void> {
    const code = { Escape: 27, ArrowUp: 38 }[key] ?? 13;
    const text = key.length === 1 ? { text: key } : { windowsVirtualKeyCode: code };
    await tab.send('Input.dispatchKeyEvent', { type: 'keyDown', key, ...text });
    await tab.send('Input.dispatchKeyEvent', { type: 'keyUp', key });
  }
  const rows = '.row';
  const focusIs = (subject: string) => `document.activeElement.closest('.row')?.innerText.includes('${subject}')`;
  const listIs = (count: number) => `document.querySelectorAll('${rows}').length === ${count}`;
  const openIs = (subject: string) => `document.querySelector('.msg h1')?.innerText === '${subject}'`;
  const says = (text: string) => `document.querySelector('.toast')?.innerText.includes('${text}')`;
  const click = (label: string, within = 'document') =>
    tab.run(`[...${within}.querySelectorAll('button')].find((one) => one.innerText.trim() === '${label}').click()`);
  const marksOf = async (n: number) =>
    marksRecord.find(world.store, marksRecord.key({ id: sampleId(n), receivedAt: receivedAtOf(sampleId(n)) }));

  test('keys lead through the mail and its views', async () => {
    await go('#/mail', listIs(3));
    for (const [key, ready] of [
      ['j', openIs('Mail 3.')],
      ['j', openIs('Mail 2.')],
      ['k', openIs('Mail 3.')],
      ['o', `document.activeElement.id === 'stage'`],
      ['u', `document.querySelector('.tabs') === null && ${focusIs('Mail 3.')}`],
      ['o', openIs('Mail 3.')],
      ['Escape', `document.querySelector('.tabs') === null`],
      ['j', `${openIs('Mail 2.')} && ${focusIs('Mail 2.')}`], // on from the one that was left; the focus comes along
      ['ArrowUp', openIs('Mail 3.')],
      ['d', `document.documentElement.style.colorScheme === 'light'`],
      ['d', `document.documentElement.style.colorScheme === 'dark'`],
      ['d', `document.documentElement.style.colorScheme === ''`],
      ['Escape', `document.querySelector('.tabs') === null`],
      ['?', `document.querySelector('dialog[open]')?.innerText.includes('Keys')`],
      ['Escape', `document.querySelector('dialog[open]') === null`],
      ['2', `document.querySelector('h1')?.innerText === 'Deliveries'`],
      ['3', `document.querySelector('h1')?.innerText === 'Queues'`],
      ['4', `document.querySelector('h1')?.innerText === 'Overview'`],
      ['1', listIs(3)],
      ['/', `document.activeElement.id === 'search'`],
    ] as const) {
      await press(key);
      await tab.until(ready);
    }
    await press('j'); // is text now
    assert.equal(await tab.run(`document.getElementById('search').value`), 'j');
  });

  test('a deleted message is gone at once, can be had back, and is deleted in the end', async () => {
    await go('#/mail', listIs(3));
    await press('j');
    await tab.until(openIs('Mail 3.'));
    await press('#');
    await tab.until(`${listIs(2)} && ${openIs('Mail 2.')} && ${says('Message deleted')}`);
    await click('Undo');
    await tab.until(`${listIs(3)} && ${openIs('Mail 3.')}`);
    assert.equal(world.store.keys('inbox/').length, 3);
    await press('#');
    await tab.until(listIs(2));
    await tab.run(`document.querySelector('.toast [aria-label=Close]').click()`);
    await eventually('deleted', () => world.store.keys('inbox/').length === 2);
    await press('#');
    await tab.until(listIs(1));
    await tab.send('Page.navigate', { url: 'about:blank' }); // a tab that is left does it, too
    await eventually('deleted as the tab is closed', () => world.store.keys('inbox/').length === 1);
  });

  test('keys that follow each other at once are each about the message that the one before has opened', async () => {
    await go('#/mail', listIs(3));
    await press('j');
    await tab.until(openIs('Mail 3.'));
    await tab.run(`for (let n = 0; n < 2; n += 1) {
      document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '#', bubbles: true }));
    }`);
    await tab.until(`${listIs(1)} && ${openIs('Mail 1.')}`);
    await eventually('the first deleted', () => world.store.keys('inbox/').length === 2);
    await click('Undo');
    await tab.until(`${listIs(2)} && ${openIs('Mail 2.')}`);
  });

  test('while the server is away nothing is lost, and what was asked for is there when it is back', async () => {
    await go('#/mail', listIs(3));
    await api.close();
    await tab.until(`document.querySelector('.list .notice')?.innerText.includes('Not connected')`);
    await press('j');
    await tab.until(`document.querySelector('.msg')?.innerText.includes('the server does not answer')`);
    await press('#');
    await tab.until(`${listIs(2)} && ${says('Message deleted')}`);
    await tab.run(`document.querySelector('.toast [aria-label=Close]').click()`);
    await tab.until(`${listIs(3)} && ${says('the server does not answer')}`);
    api = await startOpsApi(opsDeps(world, { chaos: chaosControl, port: Number(new URL(url).port) }));
    await tab.until(`${openIs('Mail 2.')} && document.querySelector('.list .notice') === null`, 30);
    assert.equal(world.store.keys('inbox/').length, 3);
  });

  test('a link that leads elsewhere than it says is told beside the HTML', async () => {
    const html = '<a href="https://evil.example/login">https://bank.example/login</a>';
    world.addMessage(sampleMessage({ id: sampleId(9), html }));
    await go(`#/mail/${sampleId(9)}`, `document.querySelector('.notice.bad') !== null`);
    assert.match(await tab.run(`document.querySelector('.notice').innerText`), /1 link leads elsewhere than it says/);
    await tab.run(`document.querySelector('.notice button').click()`);
    await tab.until(`document.querySelector('.links')?.textContent.includes('leads to evil.example')`);
  });

  test('all that was found is deleted only after a question', async () => {
    await go('#/mail?q=2.', listIs(1));
    await tab.run(`document.querySelector('[aria-label="Delete all shown"]').click()`);
    await tab.until(`document.querySelector('dialog[open]')?.innerText.includes('2.')`);
    await click('Cancel');
    await tab.until(`document.querySelector('dialog[open]') === null`);
    assert.equal(world.store.keys('inbox/').length, 3);
    await tab.run(`document.querySelector('[aria-label="Delete all shown"]').click()`);
    await tab.until(`document.querySelector('dialog[open]') !== null`);
    await click('Delete', `document.querySelector('dialog[open]')`);
    await tab.until(says('1 message deleted'));
    assert.equal(world.store.keys('inbox/').length, 2);
  });

  test('much mail is marked as read, and deleted, in several requests: the page asks first, says how far it is, and goes on when the server is back', async () => {
    for (let n = 4; n <= 600; n += 1) world.addMessage(sampleMessage({ id: sampleId(n), subject: `Mail ${n}.` }));
    await api.close();
    let now = Date.now();
    const clock = () => {
      now += 6_000; // each look at it is later than a request may take
      return now;
    };
    api = await startOpsApi(opsDeps(world, { chaos: chaosControl, clock, port: Number(new URL(url).port) }));
    await go('#/mail', `document.querySelectorAll('.row.new').length === 50`);
    await tab.run(`globalThis.told = []; new MutationObserver(() => told.push(document.querySelector('.notices').innerText))
      .observe(document.querySelector('.notices'), { childList: true, subtree: true, characterData: true })`);
    await tab.run(`{ const { fetch } = globalThis; let fails = 1; globalThis.fetch = (path, ...more) =>
      String(path).includes('after=') && path.includes('/read') && fails-- > 0 ? Promise.reject(new TypeError('away')) : fetch(path, ...more); }`);
    const button = (label: string) => `document.querySelector('[aria-label="${label}"]')`;
    await tab.run(`${button('Mark all as read')}.click()`);
    await tab.until(`document.querySelector('dialog[open]')?.innerText.includes('also what is not loaded here')`);
    await click('Mark as read', `document.querySelector('dialog[open]')`);
    await tab.until(`${button('Mark all as read')}.disabled`);
    await tab.until(says('600 messages marked as read'), 30);
    const marks = await Promise.all([1, 300, 600].map(marksOf));
    assert.deepEqual(
      marks.map((one) => one?.read),
      [true, true, true],
    );
    await tab.until(`document.querySelector('.row.new') === null && document.title === 'Pillarbox'`);
    await tab.run(`${button('Delete all shown')}.click()`);
    await tab.until(`document.querySelector('dialog[open]') !== null`);
    await click('Delete', `document.querySelector('dialog[open]')`);
    await tab.until(`${says('600 messages deleted')} && ${listIs(0)} && !${button('Delete all shown')}.disabled`, 30);
    const told = String(await tab.run(`told.join('\\n')`));
    assert.match(told, /Marking as read: 250 messages so far, 350 left …/);
    assert.match(told, /Marking as read: the server does not answer, trying again …/);
    assert.match(told, /Deleting: 250 messages so far, 350 left …/);
  });

  test('an opened message is read, and can be unread again; tags are set, and shown in the list', async () => {
    await go('#/mail', listIs(3));
    await tab.until(`document.querySelectorAll('.row.new').length === 3 && document.title === '(3) Pillarbox'`);
    await press('j');
    await tab.until(`document.querySelectorAll('.row.new').length === 2 && document.title === '(2) Pillarbox'`);
    await eventually('read', async () => (await marksOf(3))?.read === true);
    await press('U');
    await tab.until(`document.querySelectorAll('.row.new').length === 3 && ${says('Marked as unread')}`);
    await click('Undo');
    await tab.until(`document.querySelectorAll('.row.new').length === 2`);
    await click('Tag');
    await tab.until(`document.activeElement.name === 'tags'`);
    await press('Escape');
    await tab.until(`document.querySelector('.sheet') === null && document.activeElement.innerText.trim() === 'Tag'`);
    assert.ok(await tab.run(openIs('Mail 3.')));
    await click('Tag');
    await tab.until(`document.activeElement.name === 'tags'`);
    await tab.run(`document.querySelector('.sheet input').value = 'signup, two'`);
    await click('Set tags');
    await tab.until(`document.querySelector('.row .marks')?.innerText.includes('signup')`);
    await eventually('tagged', async () => (await marksOf(3))?.tags.join() === 'signup,two');
    await tab.until(`[...document.querySelectorAll('.rail .nav')].some((one) => one.innerText.includes('signup'))`);
    await tab.run(`document.querySelector('[aria-label="Mark all as read"]').click()`);
    await tab.until(`document.querySelector('.row.new') === null && document.title === 'Pillarbox'`);
  });

  test('a message is read also if its address is opened, whatever comes first, message or list', async () => {
    await tab.send('Page.enable'); // else nothing is evaluated on new documents
    for (const [n, late] of [
      [1, '/api/messages?'],
      [2, `/api/messages/${sampleId(2)}`],
    ] as const) {
      const source = `{ const { fetch } = globalThis; globalThis.fetch = async (path, ...more) => {
        if (String(path).startsWith('${late}')) await new Promise((resolve) => setTimeout(resolve, 400));
        return fetch(path, ...more);
      }; }`;
      const { identifier } = await tab.send('Page.addScriptToEvaluateOnNewDocument', { source });
      await go(`#/mail/${sampleId(n)}`, openIs(`Mail ${n}.`));
      await tab.until(`document.querySelectorAll('.row.new').length === ${3 - n} && ${listIs(3)}`);
      await eventually('read', async () => (await marksOf(n))?.read === true);
      await tab.send('Page.removeScriptToEvaluateOnNewDocument', { identifier });
    }
  });

  test('a message is replayed; what is refused is told', async () => {
    await go(`#/mail/${sampleId(1)}`, openIs('Mail 1.'));
    await click('Replay');
    await tab.until(`document.querySelector('.sheet') !== null`);
    await click('Replay', `document.querySelector('.sheet')`);
    await tab.until(says('judged and parsed once more'));
    await click('Replay');
    await tab.until(`document.querySelector('.sheet input') !== null`);
    await tab.run(`document.querySelector('.sheet input').value = 'eve@far.example'`);
    await click('Replay', `document.querySelector('.sheet')`);
    await tab.until(`document.querySelector('.toast.bad') !== null && ${says('leads to no mailbox')}`);
  });

  test('a message is released after a question, and what became of it is shown; what is refused is told', async () => {
    await go(`#/mail/${sampleId(1)}`, openIs('Mail 1.'));
    await click('Release');
    await tab.until(`document.querySelector('.sheet')?.innerText.includes('Allowed: *@far.example')`);
    const release = async (to: string) => {
      await tab.run(`document.querySelector('.sheet input').value = '${to}'`);
      await click('Release …');
      await tab.until(`document.querySelector('dialog[open]')?.innerText.includes('leaves for ${to}')`);
    };
    await release('ann@far.example');
    await click('Cancel', `document.querySelector('dialog[open]')`);
    await tab.until(`document.querySelector('dialog[open]') === null`);
    assert.deepEqual(released, []);
    await release('eve@evil.example');
    await click('Release', `document.querySelector('dialog[open]')`);
    await tab.until(`document.querySelector('.toast.bad') !== null && ${says('does not allow it')}`);
    await release('ann@far.example');
    await click('Release', `document.querySelector('dialog[open]')`);
    const shown = `document.querySelector('.sheet [role=status]')`;
    await tab.until(`${shown}?.innerText.includes('On its way to ann@far.example')`);
    await tab.until(`${shown}.innerText.includes('bounced') && ${shown}.innerText.includes('550 no such user')`);
    assert.deepEqual(released, [{ id: sampleId(1), to: ['ann@far.example'], by: '127.0.0.1' }]);
    assert.equal(await tab.run(`${shown}.querySelector('a').hash`), `#/trace/${sampleId(8)}`);
    await press('Escape');
    await tab.until(
      `document.querySelector('.sheet') === null && document.activeElement.innerText.trim() === 'Release' && ${openIs('Mail 1.')}`,
    );
  });

  test('nothing can be released where the configuration allows nobody, and the page says which setting does', async () => {
    allowed = [];
    await go(`#/mail/${sampleId(1)}`, openIs('Mail 1.'));
    await click('Release');
    await tab.until(`document.querySelector('.sheet')?.innerText.includes('release.to')`);
    assert.equal(await tab.run(`document.querySelector('.sheet input') === null`), true);
  });

  test('a quarantined message is moved to the inbox after a question, and the page shows it there', async () => {
    const disposition = { action: 'quarantine', reason: 'DMARC failed.' } as const;
    world.addMessage(sampleMessage({ id: sampleId(7), subject: 'Withheld', disposition }));
    await go(`#/mail/${sampleId(7)}`, openIs('Withheld'));
    await tab.until(`document.querySelector('.row')?.innerText.includes('quarantine')`);
    await click('Move to inbox');
    await tab.until(`document.querySelector('dialog[open]')?.innerText.includes('It was withheld: DMARC failed.')`);
    const lists = `performance.getEntriesByType('resource').filter(({ name }) => name.includes('/api/messages?')).length`;
    const listed = Number(await tab.run(lists));
    await click('Move to inbox', `document.querySelector('dialog[open]')`);
    await tab.until(says('On its way to the inbox of ann@a.example'));
    await tab.until(`${lists} > ${listed}`); // for the new copy and the action, which come together
    await tab.until(`document.querySelector('.list').innerText.includes('quarantine')`);
    await endQuarantine();
    await tab.until(`document.querySelector('.verdict')?.innerText.includes('Released from quarantine')`);
    await tab.until(`!document.querySelector('.list').innerText.includes('quarantine')`);
    assert.equal(await tab.run(`document.body.innerText.includes('Move to inbox')`), false);
  });

  test('dead letters are tried again, or deleted, after a question', async () => {
    await go('#/queues', `document.querySelector('.dead') !== null`);
    await click('Try again');
    await tab.until(`document.querySelector('dialog[open]') !== null`);
    await click('Cancel');
    await tab.until(`document.querySelector('dialog[open]') === null`);
    assert.deepEqual(world.calls, []);
    for (const [label, call] of [
      ['Try again', 'redrive received'],
      ['Delete', 'purge received'],
    ] as const) {
      await click(label);
      await tab.until(`document.querySelector('dialog[open]') !== null`);
      await click(label, `document.querySelector('dialog[open]')`);
      await eventually(call, () => world.calls.includes(call));
    }
  });

  test('a capture server without mail is given one to try it', async () => {
    for (const key of world.store.keys('inbox/')) await world.store.delete(key);
    await go('#/mail?q=from:nobody', listIs(0));
    await tab.run(`location.hash = '#/mail?q='`);
    await tab.until(listIs(0));
    await tab.until(`[...document.querySelectorAll('button')].some((one) => one.innerText.includes('Send a mail'))`);
    await click('Send a mail to try it');
    await tab.until(says('Sent'));
  });

  test('chaos is turned on by words, wrong ones are told, and it can be taken back', async () => {
    await go('#/chaos', `document.querySelector('input[name=words]') !== null`);
    await tab.run(`document.querySelector('input[name=words]').value = 'rcpt-451-10%'`);
    await click('Turn on');
    await tab.until(`${says('Chaos is on')} && document.querySelector('.card .tag').innerText === 'rcpt-451-10%'`);
    await tab.until(`document.querySelector('.rail .warn')?.innerText === 'on'`);
    await click('Undo');
    await tab.until(`document.querySelector('.card .tag').innerText === 'off'`);
    assert.equal(chaos, null);
    await tab.run(`document.querySelector('input[name=words]').value = 'nonsense'`);
    await click('Turn on');
    await tab.until(`document.querySelector('.toast.bad') !== null`);
  });

  test('however many people a mail is from and to, its tabs are in sight, and everybody is shown on request', async () => {
    const many = (count: number, name: string) =>
      Array.from({ length: count }, (_, n) => ({
        name: `${name} ${n}.`,
        address: `${name}${n}@a.example`,
        group: null,
      }));
    const to = many(500, 'Recipient');
    const subject = 'Very long words '.repeat(100);
    for (let n = 0; n < 60; n += 1) {
      const mailbox = { localPart: `recipient${n}`, domain: 'a.example', tag: null };
      world.addMessage(sampleMessage({ id: sampleId(9), subject, from: many(100, 'Author'), to, cc: to, mailbox }));
    }
    const isInSight = `document.querySelector('.tabs').getBoundingClientRect().bottom < innerHeight * 0.8`;
    for (const [width, height, mobile] of [
      [390, 844, true],
      [1_440, 900, false],
    ]) {
      await tab.send('Emulation.setDeviceMetricsOverride', { width, height, mobile, deviceScaleFactor: 1 });
      await go(`#/mail/${sampleId(9)}`, `document.querySelectorAll('.copies .chip').length === 4`);
      assert.ok(await tab.run(isInSight), `${width} px`);
      await click('and 497 others');
      await click('and 56 others');
      await tab.until(`document.querySelector('.line').textContent.includes('Recipient 499.')`);
      await tab.until(`document.querySelectorAll('.copies .chip').length === 60`);
      assert.ok(await tab.run(`document.querySelector('.tabs').getBoundingClientRect().bottom < innerHeight`));
      await click('show fewer');
      await tab.until(`!document.querySelector('.line').textContent.includes('Recipient 499.')`);
    }
  });

  test('HTML scrolls in its frame alone, with files below it in one line; f gives it the pane, and Escape takes it back', async () => {
    const file = { contentType: 'text/plain', sha256: '0'.repeat(64), contentId: null, inline: false, bytes: 3 };
    const attachments = Array.from({ length: 8 }, (_, n) => ({
      ...file,
      filename: `${n}.txt`,
      key: `attachments/x/${n}`,
    }));
    world.addMessage(sampleMessage({ id: sampleId(9), html: '<p>long</p>'.repeat(500), attachments }));
    const scrolls = `(({ scrollHeight, clientHeight }) => scrollHeight > clientHeight)(document.getElementById('stage'))`;
    const frameHeight = `document.querySelector('.paper').clientHeight`;
    for (const [width, height, mobile] of [
      [390, 844, true],
      [1_440, 900, false],
    ]) {
      await tab.send('Emulation.setDeviceMetricsOverride', { width, height, mobile, deviceScaleFactor: 1 });
      await go(`#/mail/${sampleId(9)}`, `document.querySelector('.paper') !== null`);
      assert.equal(await tab.run(scrolls), false, `${width} px`);
      const before = Number(await tab.run(frameHeight));
      await press('f');
      await tab.until(`${frameHeight} > ${before + 100}`);
      assert.equal(await tab.run(scrolls), false, `${width} px, alone`);
      await press('Escape');
      await tab.until(`${frameHeight} === ${before} && document.querySelector('.tabs') !== null`);
    }
  });

  test('on a phone a notice has its words and its button in one line each, and a file that is chosen below a text is in sight', async () => {
    const file = { contentType: 'text/plain', sha256: '0'.repeat(64), contentId: null, inline: false, bytes: 3 };
    const attachments = Array.from({ length: 8 }, (_, n) => ({
      ...file,
      filename: `${n}.txt`,
      key: `attachments/x/${n}`,
    }));
    world.addMessage(sampleMessage({ id: sampleId(9), attachments }));
    const phone = { width: 390, height: 844, deviceScaleFactor: 1, mobile: true };
    await tab.send('Emulation.setDeviceMetricsOverride', phone);
    await go(`#/mail/${sampleId(9)}`, `document.querySelector('.files') !== null`);
    await tab.run(`document.querySelectorAll('.files .file')[6].click()`);
    await tab.until(`document.querySelector('.card.chosen')?.getBoundingClientRect().bottom <= innerHeight`);
    await tab.until(`document.querySelector('.row[data-id="${sampleId(9)}"].new') === null`);
    await press('U');
    await tab.until(says('Marked as unread'));
    const heights = `[...document.querySelectorAll('.toast > *')].map((one) => one.getBoundingClientRect().height)`;
    assert.ok((await tab.run(heights)).every((height: number) => height < 36));
    await tab.send('Emulation.setDeviceMetricsOverride', {
      width: 1_440,
      height: 900,
      deviceScaleFactor: 1,
      mobile: false,
    });
  });

  test('with the keyboard alone one key leads past all mailboxes to the mail, and to a view', async () => {
    await go('#/mail', listIs(3));
    const skip = async () => {
      await tab.run('document.activeElement.blur()');
      const key = { key: 'Tab', code: 'Tab', windowsVirtualKeyCode: 9 };
      await tab.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', ...key });
      await tab.send('Input.dispatchKeyEvent', { type: 'keyUp', ...key });
      await tab.until(`document.activeElement.innerText.startsWith('Skip to the')`);
      await tab.send('Input.dispatchKeyEvent', {
        type: 'keyDown',
        key: 'Enter',
        code: 'Enter',
        text: '\r',
        windowsVirtualKeyCode: 13,
      });
    };
    await skip();
    await tab.until(focusIs('Mail 3.'));
    await go('#/queues', `document.querySelector('.dead') !== null`);
    await skip();
    await tab.until(`document.activeElement.innerText.trim() === 'Try again'`);
  });

  test('a view whose file cannot be loaded says so, and loads the page again on request', async () => {
    await go('#/mail', listIs(3));
    await tab.send('Network.enable');
    await tab.send('Network.setBlockedURLs', { urls: ['*/overview-*'] });
    await tab.run(`location.hash = '#/overview'`);
    await tab.until(`document.querySelector('main').innerText.includes('could not be loaded')`);
    await tab.send('Network.setBlockedURLs', { urls: [] });
    await click('Load the page again');
    await tab.until(`document.querySelector('.chart') !== null`);
  });

  test('however many mailboxes there are, the views and the state of the connection are in sight', async () => {
    for (let n = 10; n < 40; n += 1) {
      world.addMessage(
        sampleMessage({ id: sampleId(n), mailbox: { localPart: `box-${n}`, domain: 'a.example', tag: null } }),
      );
    }
    await go('#/mail', `document.querySelectorAll('.rail .boxes a').length > 30`);
    assert.ok(await tab.run(`document.getElementById('status').getBoundingClientRect().bottom < innerHeight`));
    assert.ok(await tab.run(`document.querySelector('.rail').scrollHeight <= innerHeight`));
  });

  test('on a phone, the reason of a delivery stands beside its state, not under the label', async () => {
    const job = { ...sampleDeliverJob(), id: sampleId(8), domain: 'far.example' };
    const fresh = newDeliveryState(job, Date.parse('2025-11-21T03:00:00.000Z'));
    const state = { ...fresh, recipients: fresh.recipients.map((one) => ({ ...one, reason: '451 come back later' })) };
    world.store.seed(`deliveries/2025/11/21/${job.id}/far.example.json`, JSON.stringify(state));
    const phone = { width: 390, height: 844, deviceScaleFactor: 1, mobile: true };
    await tab.send('Emulation.setDeviceMetricsOverride', phone);
    await go('#/deliveries', `document.querySelector('td[data-label=State] .tag') !== null`);
    const lefts = `[...document.querySelectorAll('td[data-label=State] > *')].map((one) => one.getBoundingClientRect().left)`;
    assert.ok(await tab.run(`document.querySelector('td[data-label=State]').innerText.includes('come back later')`));
    assert.ok((await tab.run(lefts)).every((left: number) => left > 100));
    const desktop = { width: 1_440, height: 900, deviceScaleFactor: 1, mobile: false };
    await tab.send('Emulation.setDeviceMetricsOverride', desktop);
  });

  test('an address is taken off the suppression list, and put back', async () => {
    const isListed = `document.querySelector('main').innerText.includes('gone@far.example')`;
    await go('#/deliveries', isListed);
    await click('Write to it again');
    await tab.until(`!(${isListed}) && ${says('is sent again')}`);
    await click('Undo');
    await tab.until(isListed);
  });

  test('a search suggests, is in the address, and Back leads out of a message', async () => {
    await go('#/mail', listIs(3));
    await press('/');
    for (const key of 'Mail 2.') await press(key);
    await tab.until(`${listIs(1)} && location.hash === '#/mail?q=Mail+2.'`);
    await tab.run(`document.querySelector('.row a').click()`);
    await tab.until(openIs('Mail 2.'));
    await tab.run(`document.getElementById('tab-headers').click()`);
    await tab.until(`location.hash.endsWith('?q=Mail+2.&tab=headers')`);
    await tab.run('globalThis.isOld = true');
    await tab.send('Page.reload');
    await tab.until(
      `globalThis.isOld === undefined && document.querySelector('#tab-headers[aria-selected=true]') !== null && ${listIs(1)}`,
    );
    await tab.run(`document.querySelector('[aria-label="Clear the search"]').click()`);
    await tab.until(listIs(3));
    for (const key of 'ta') await press(key);
    await tab.until(`document.querySelector('[role=option]')?.innerText.includes('tag:')`);
    await tab.send('Input.dispatchKeyEvent', { type: 'keyDown', key: 'ArrowDown', windowsVirtualKeyCode: 40 });
    await press('Enter');
    await tab.until(`document.getElementById('search').value === 'tag:'`);
  });

  test('remote pictures are loaded when they are asked for, and not before', async () => {
    const asked: (string | undefined)[] = [];
    const far = createServer((request, response) => {
      asked.push(request.url, request.headers.referer);
      response.end();
    });
    await new Promise<void>((resolve) => far.listen(0, '127.0.0.1', resolve));
    const there = `http://127.0.0.1:${(far.address() as AddressInfo).port}`;
    world.addMessage(
      sampleMessage({ id: sampleId(9), html: `<img src="${there}/p.gif"><script src="${there}/s"></script>` }),
    );
    await go(`#/mail/${sampleId(9)}`, `document.querySelector('.notice') !== null`);
    assert.match(await tab.run(`document.querySelector('.notice').innerText`), /2 remote items blocked/);
    assert.equal(asked.length, 0);
    await click('Show');
    await eventually('the picture', () => asked.includes('/p.gif'));
    assert.deepEqual(asked, ['/p.gif', undefined]);
    far.closeAllConnections();
    far.close();
  });
});
