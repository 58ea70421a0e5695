import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { elementsOf, installDocument, textOf } from '#test/support/samples/page-document.ts';
import { sampleId, sampleMessage } from '#test/support/samples/sample-message.ts';

const id = sampleId();
const at = '2025-11-21T03:00:00.000Z';
const evil = '<img src=x onerror=alert(1)>';
const summary = {
  id,
  receivedAt: at,
  mailboxes: ['ann@a.example', 'eve@a.example'],
  from: 'bob@b.example',
  subject: evil,
  preview: 'Good morning',
  disposition: 'quarantine',
  authentication: { dmarc: 'fail' },
  bytes: 2_048,
  attachments: 1,
};
const message = sampleMessage({
  subject: evil,
  html: '<b>hi</b>',
  attachments: [
    {
      filename: 'a.pdf',
      contentType: 'application/pdf',
      bytes: 3,
      sha256: '0'.repeat(64),
      key: 'attachments/x/1',
      contentId: null,
      inline: false,
    },
  ],
});
const delivery = {
  id,
  domain: 'far.example',
  recipients: ['carl@far.example'],
  state: 'waiting',
  attempts: 2,
  reason: 'busy',
  nextAttemptAt: at,
};

describe('the ops page', () => {
  const page: Record<string, any> = {};
  let asked: readonly string[];
  const act = (run: () => Promise<unknown>) => run().catch(() => {});
  before(async () => {
    asked = installDocument({
      [`/api/messages/${id}?mailbox=ann%40a.example`]: message,
      [`/api/messages/${id}/trace`]: { id, events: [{ at, text: 'received from mail.b.example' }], where: ['inbox'] },
      '/api/queues': [{ name: 'parse', ready: 1, delayed: 2, inFlight: 3, dead: 4, oldestSeconds: 5 }],
      '/api/queues/parse/dead?limit=20': {
        queue: 'parse',
        dead: [{ id, reason: 'on fire', receiveCount: 5, diedAt: at }],
      },
      '/health': { status: 'degraded', problems: ['the disk is full'] },
      '/api/deliveries?limit=100&state=waiting': { deliveries: [delivery], next: null },
      '/api/suppressions?limit=100': {
        suppressions: [
          { address: 'gone@far.example', sender: 'a.example', since: at, until: at, reason: 'no such user' },
        ],
      },
      '/api/activity': {
        since: at,
        minutes: [{ at: new Date().toISOString(), received: 7, refused: 3, inbox: 6, quarantined: 1, delivered: 0 }],
      },
    });
    for (const file of ['page-list.js', 'page-mail.js', 'page-work.js', 'page-activity.js']) {
      Object.assign(page, await import(new URL(`../../../ops/console/${file}`, import.meta.url).href));
    }
  });

  test('mail is a row with its words as text, and a link for each copy', () => {
    const nodes = [page['messageRow'](summary)];
    assert.match(
      textOf(nodes),
      /bob@b\.example ann@a\.example, eve@a\.example quarantine<img src=x.* Good morning fail/,
    );
    const links = elementsOf(nodes, 'a').map((link) => link.attributes.get('href'));
    assert.deepEqual(links, [`#/mail/${id}/ann%40a.example`, `#/mail/${id}/eve%40a.example`, `#/mail/${id}`]);
  });

  test('a message is shown with verdicts, history and attachments; its HTML only in a sandboxed frame', async () => {
    const nodes = await page['showMessage'](id, 'ann%40a.example');
    const [frame] = elementsOf(nodes, 'iframe');
    assert.equal(frame?.attributes.get('sandbox'), 'allow-popups allow-popups-to-escape-sandbox');
    assert.equal(frame?.attributes.get('src'), `/api/messages/${id}/html?mailbox=ann%40a.example`);
    assert.match(textOf(nodes), /^<img src=x onerror=alert\(1\)>\n/);
    assert.match(textOf(nodes), /SPF: .* pass b\.example 192\.0\.2\.7 is in its list/);
    assert.match(textOf(nodes), /received from mail\.b\.example/);
    assert.match(textOf(nodes), /a\.pdf application\/pdf, 3 B/);
    assert.deepEqual(elementsOf(nodes, 'img'), []);
  });

  test('queues are shown with their dead letters, the reasons, and a button that tries them again', async () => {
    const nodes = await page['showQueues'](act);
    assert.match(textOf(nodes), /Health: degraded, the disk is full\n/);
    assert.match(textOf(nodes), /parse 1 2 3 4 5 s Try again\n/);
    assert.match(textOf(nodes), /after 5 tries: on fire/);
    elementsOf(nodes, 'button')[0]?.listeners.get('click')?.({});
    assert.equal(asked.at(-1), 'POST /api/queues/parse/redrive');
  });

  test('deliveries of a state are shown with their reason; an address is taken off the suppression list', async () => {
    const nodes = await page['showDeliveries']({ act, go: () => {}, state: 'waiting' });
    assert.match(textOf(nodes), /carl@far\.example waiting busy 2 .* Try now\n/);
    assert.match(textOf(nodes), /gone@far\.example no such user a\.example .* Write to it again\n/);
    for (const button of elementsOf(nodes, 'button')) button.listeners.get('click')?.({});
    assert.deepEqual(asked.slice(-2), [
      `POST /api/deliveries/${id}/far.example/retry`,
      'DELETE /api/suppressions/gone%40far.example?sender=a.example',
    ]);
  });

  for (const span of ['hour', 'day']) {
    test(`the charts of the last ${span} have what the counters moved`, async () => {
      const nodes = await page['showActivity'](() => {}, span);
      const heights = elementsOf(nodes, 'rect')
        .filter((bar) => bar.attributes.get('class') !== 'place')
        .map((bar) => Math.round(Number(bar.attributes.get('height'))))
        .filter((height) => height > 0);
      assert.deepEqual(heights, [84, 36, 103, 17]);
      assert.match(textOf(nodes), /7 received {2}3 refused/);
    });
  }
});
