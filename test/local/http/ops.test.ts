import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type OpsApi, startOpsApi } from '#local/http/start-ops-api.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { type DeliveryState, newDeliveryState } from '#pipeline/contract/records/delivery.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { nested } from '#test/support/samples/sample-jobs.ts';
import { type SampleWorld, sampleId, sampleMessage, sampleWorld } from '#test/support/samples/sample-message.ts';
import { opsDeps } from '#test/support/worlds/ops-deps.ts';

type Reply = {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
  readonly body: any;
};

function ask(
  api: OpsApi,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { host, port } = api.address;
    const sent = httpRequest({ host, port, path, method, headers, agent: false }, async (response) => {
      const pieces: Buffer[] = [];
      for await (const piece of response) pieces.push(piece);
      const text = Buffer.concat(pieces).toString('utf8');
      const isJson = response.headers['content-type']?.startsWith('application/json') === true && text !== '';
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        text,
        body: isJson ? JSON.parse(text) : null,
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

const bounced = {
  state: 'bounced',
  status: '5.1.1',
  reason: 'no such user',
  diagnostic: null,
  host: null,
  at: null,
} as const;

function seedDelivery(
  world: SampleWorld,
  n: number,
  state: DeliveryState['state'],
  changes: Partial<DeliveryState> = {},
): void {
  const at = '2025-11-21T03:00:01.000Z';
  const forwardPath = 'carl@far.example';
  const { raw, session } = sampleMessage();
  const job = nested<DeliverJob>({
    version: 2,
    id: sampleId(n),
    receivedAt: '2025-11-21T03:00:00.000Z',
    raw,
    session,
    reversePath: 'ann@a.example',
    domain: 'far.example',
    recipients: [{ forwardPath, dsn: { notify: null, orcpt: null }, originalForwardPath: null }],
    signingDomain: null,
    attempt: 1,
    firstAttemptAt: null,
    expiresAt: '2025-11-26T03:00:00.000Z',
  });
  const record: DeliveryState = {
    ...newDeliveryState(job, Date.parse(at)),
    state,
    next: { attempt: 2, at: '2025-11-21T03:10:00.000Z', reason: 'busy', queued: true },
    attempts: [
      {
        attempt: 1,
        at,
        seconds: 1,
        reason: null,
        hosts: [
          {
            host: 'mx.far.example',
            ip: '192.0.2.9',
            port: 25,
            at,
            seconds: 1,
            reused: false,
            tls: null,
            outcome: 'talked',
            stage: null,
            reason: null,
            reply: null,
            recipients: [
              {
                forwardPath,
                outcome: 'deferred',
                stage: 'rcpt',
                reply: { code: 450, enhanced: null, text: 'busy' },
                reason: null,
              },
            ],
          },
        ],
      },
    ],
    ...changes,
  };
  world.store.seed(`deliveries/2025/11/21/${sampleId(n)}/far.example.json`, JSON.stringify(record));
}

describe('ops API', () => {
  let world: SampleWorld;
  let api: OpsApi;
  const closing: OpsApi[] = [];
  beforeEach(async () => {
    world = sampleWorld();
    api = await startOpsApi(opsDeps(world));
    closing.push(api);
  });
  after(() => Promise.all(closing.map((one) => one.close())));

  test('a message for two mailboxes is one entry of the list, also across pages', async () => {
    const eve = { domain: 'a.example', localPart: 'eve', tag: null };
    world.addMessage(sampleMessage());
    world.addMessage(sampleMessage({ mailbox: eve }));
    world.addMessage(sampleMessage({ id: sampleId(2), subject: 'Second' }));
    const seen: string[] = [];
    for (let after: string | null = ''; after !== null; ) {
      const { body } = await ask(api, `/api/messages?limit=1${after === '' ? '' : `&after=${after}`}`);
      seen.push(...body.messages.map(({ id }: { id: string }) => id));
      after = body.next;
    }
    assert.deepEqual(seen, [sampleId(2), sampleId(1)]);
    const { body } = await ask(api, '/api/messages');
    assert.deepEqual(body.messages[1].mailboxes, ['ann@a.example', 'eve@a.example']);
    assert.equal(body.next, null);
  });

  test('the list is filtered by mailbox, domain and words', async () => {
    world.addMessage(sampleMessage());
    world.addMessage(
      sampleMessage({
        id: sampleId(2),
        mailbox: { domain: 'c.example', localPart: 'carl', tag: null },
        subject: 'Invoice',
      }),
    );
    const ids = async (query: string) =>
      (await ask(api, `/api/messages?${query}`)).body.messages.map(({ id }: { id: string }) => id);
    assert.deepEqual(await ids('mailbox=carl@C.EXAMPLE'), [sampleId(2)]);
    assert.deepEqual(await ids('mailbox=@a.example'), [sampleId(1)]);
    assert.deepEqual(await ids('q=INVOICE'), [sampleId(2)]);
    assert.deepEqual(await ids('q=nothing-like-it'), []);
  });

  test('a message is its stored JSON; mailbox picks the copy', async () => {
    const first = world.addMessage(sampleMessage());
    const eve = world.addMessage(sampleMessage({ mailbox: { domain: 'a.example', localPart: 'eve', tag: null } }));
    assert.equal((await ask(api, `/api/messages/${sampleId()}`)).text, world.store.text(first));
    assert.equal((await ask(api, `/api/messages/${sampleId()}?mailbox=eve@a.example`)).text, world.store.text(eve));
    assert.equal((await ask(api, `/api/messages/${sampleId()}?mailbox=zoe@a.example`)).status, 404);
    assert.equal((await ask(api, `/api/messages/${sampleId(7)}`)).status, 404);
  });

  test('raw bytes come as they are stored, and no browser runs them', async () => {
    world.addMessage(sampleMessage(), 'Subject: x\r\n\r\n<script>alert(1)</script>\r\n');
    const { status, text, headers } = await ask(api, `/api/messages/${sampleId()}/raw`);
    assert.equal(status, 200);
    assert.equal(text, 'Subject: x\r\n\r\n<script>alert(1)</script>\r\n');
    assert.equal(headers['content-type'], 'message/rfc822');
    assert.match(String(headers['content-disposition']), /^attachment; /);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.match(String(headers['content-security-policy']), /sandbox; default-src 'none'/);
  });

  test('an attachment has its name, whatever is in it, and a policy', async () => {
    const key = `attachments/2025/11/21/${sampleId()}/1`;
    world.store.seed(key, '<svg onload=alert(1)>');
    const part = {
      filename: 'a"b; é.svg',
      contentType: 'image/svg+xml',
      bytes: 21,
      sha256: '0'.repeat(64),
      key,
      contentId: null,
      inline: false,
    };
    world.addMessage(sampleMessage({ attachments: [part] }));
    const { text, headers } = await ask(api, `/api/messages/${sampleId()}/attachments/1`);
    assert.equal(text, '<svg onload=alert(1)>');
    assert.equal(
      headers['content-disposition'],
      `attachment; filename="a_b_ _.svg"; filename*=UTF-8''a%22b%3B%20%C3%A9.svg`,
    );
    assert.match(String(headers['content-security-policy']), /sandbox/);
    assert.equal((await ask(api, `/api/messages/${sampleId()}/attachments/2`)).status, 404);
  });

  test("a message's HTML is served under a policy without scripts and loads", async () => {
    world.addMessage(sampleMessage({ html: '<img src=https://x.example/>' }));
    const { headers } = await ask(api, `/api/messages/${sampleId()}/html`);
    const policy = String(headers['content-security-policy']);
    assert.match(policy, /^sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'/);
    assert.doesNotMatch(policy, /script-src|https?:|allow-scripts/);
  });

  test('pictures that a message brings along are in its HTML, other links stay as they are (RFC 2392)', async () => {
    const part = { filename: 'p', bytes: 3, sha256: '0'.repeat(64), inline: true };
    world.store.seed('attachments/2025/11/21/x/1', 'png');
    world.store.seed('attachments/2025/11/21/x/2', 'svg');
    world.addMessage(
      sampleMessage({
        html: '<img src="cid:lo%67o@a"> <img src=cid:logo@a> <img src="cid:evil"> <img src="cid:none">',
        attachments: [
          { ...part, key: 'attachments/2025/11/21/x/1', contentType: 'image/png', contentId: 'logo@a' },
          { ...part, key: 'attachments/2025/11/21/x/2', contentType: 'image/svg+xml', contentId: 'evil' },
        ],
      }),
    );
    const { text } = await ask(api, `/api/messages/${sampleId()}/html`);
    const picture = 'data:image/png;base64,cG5n';
    assert.equal(text, `<img src="${picture}"> <img src=${picture}> <img src="cid:evil"> <img src="cid:none">`);
  });

  test('the trace tells what happened in order, and where the message is', async () => {
    world.addMessage(sampleMessage());
    seedDelivery(world, 1, 'waiting');
    const { body } = await ask(api, `/api/messages/${sampleId()}/trace`);
    const words = body.events.map(({ event }: { event: string }) => event);
    assert.deepEqual(words, ['received', 'attempt', 'judged', 'landed']);
    assert.equal(
      body.events[1].text,
      'attempt 1 for far.example at mx.far.example [192.0.2.9] in clear, 1.0 s: carl@far.example deferred (450 busy)',
    );
    assert.ok(
      body.where.some((place: string) =>
        place.includes('waiting; next attempt at 2025-11-21T03:10:00.000Z (number 2): busy'),
      ),
    );
  });

  test('a bounce is in the trace with its id, and the reason with the place it is in', async () => {
    seedDelivery(world, 1, 'bounced', {
      next: null,
      recipients: [{ ...bounced, forwardPath: 'carl@far.example' }],
      notices: [
        {
          id: sampleId(7),
          at: '2025-11-21T03:00:02.000Z',
          outcome: 'sent',
          reason: null,
          recipients: [{ forwardPath: 'carl@far.example', action: 'failed' }],
        },
      ],
    });
    const { body } = await ask(api, `/api/messages/${sampleId()}/trace`);
    const bounce = body.events.find(({ event }: { event: string }) => event === 'bounce');
    assert.equal(bounce.text, `report to the sender (failed) about carl@far.example: message ${sampleId(7)}`);
    assert.equal(bounce.details.bounceId, sampleId(7));
    assert.deepEqual(body.where, ['delivery to far.example: bounced; carl@far.example: no such user']);
  });

  test('a replay is 202 and says what stays, refusals have their reasons', async () => {
    world.addMessage(sampleMessage());
    seedDelivery(world, 1, 'delivered');
    const path = `/api/messages/${sampleId()}/replay`;
    const { status, body } = await ask(api, path, { method: 'POST' });
    assert.equal(status, 202);
    assert.deepEqual([body.id, body.outcome, body.kept.length], [sampleId(), 'queued', 2]);
    assert.equal((await ask(api, `${path}?to=x@far.example`, { method: 'POST' })).status, 409);
    assert.equal((await ask(api, `${path}?to=nobody`, { method: 'POST' })).status, 400);
    assert.equal((await ask(api, path)).status, 405);
  });

  test('a message that only became a dead letter has a trace that says why', async () => {
    const { body, status } = await ask(api, `/api/messages/${sampleId(9)}/trace`);
    assert.equal(status, 200);
    assert.match(body.events.at(-1).text, /after 5 tries: disk on fire/);
  });

  test('queues are listed, and their dead letters redriven or purged', async () => {
    assert.equal((await ask(api, '/api/queues')).body[0].name, 'received');
    assert.equal((await ask(api, '/api/queues/parse/dead')).body.dead[0].reason, 'disk on fire');
    assert.equal((await ask(api, '/api/queues/parse/redrive', { method: 'POST' })).status, 200);
    assert.equal((await ask(api, '/api/queues/parse/purge', { method: 'POST' })).status, 200);
    assert.deepEqual(world.calls, ['redrive parse', 'purge parse']);
    assert.equal((await ask(api, '/api/queues/other/redrive', { method: 'POST' })).status, 400);
  });

  test('deliveries are listed newest first, by state, and retried', async () => {
    for (const [n, state] of (['delivered', 'waiting', 'waiting'] as const).entries())
      seedDelivery(world, n + 1, state);
    const all = (await ask(api, '/api/deliveries')).body.deliveries;
    assert.deepEqual(
      all.map(({ id }: { id: string }) => id),
      [sampleId(3), sampleId(2), sampleId(1)],
    );
    const page = (await ask(api, '/api/deliveries?state=waiting&limit=1')).body;
    const rest = (await ask(api, `/api/deliveries?state=waiting&limit=5&after=${encodeURIComponent(page.next)}`)).body;
    assert.deepEqual(
      [...page.deliveries, ...rest.deliveries].map(({ id }) => id),
      [sampleId(3), sampleId(2)],
    );
    const retry = (domain: string) => ask(api, `/api/deliveries/${sampleId(2)}/${domain}/retry`, { method: 'POST' });
    assert.equal((await retry('far.example')).status, 202);
    assert.equal((await retry('done.example')).status, 409);
  });

  test('a body that is an object of its own is given whole', async () => {
    const key = 'attachments/2026/11/21/01KAJ5Q8M0AAAAAAAAAAAAAAAA/body';
    const content = '<p>line</p>\n'.repeat(800_000);
    const body = { key, bytes: content.length, sha256: '0'.repeat(64) };
    world.store.seed(key, content);
    world.addMessage(sampleMessage({ text: body, html: body }));
    for (const kind of ['text', 'html']) {
      const { status, text, headers } = await ask(api, `/api/messages/${sampleId()}/${kind}`);
      assert.equal(status, 200);
      assert.ok(text === content);
      assert.equal(headers['content-length'], String(content.length));
    }
  });

  test('a suppressed address is listed and removed', async () => {
    world.store.seed('suppressions/far.example/gone.json', JSON.stringify({ reason: '550 no such user' }));
    const { body } = await ask(api, '/api/suppressions');
    assert.equal(body.suppressions[0].address, 'gone@far.example');
    assert.equal(body.suppressions[0].reason, '550 no such user');
    const remove = (query = '') => ask(api, `/api/suppressions/gone%40far.example${query}`, { method: 'DELETE' });
    assert.equal((await remove('?sender=a.example')).status, 404);
    assert.equal((await remove()).status, 200);
    assert.equal((await remove()).status, 404);
  });

  test('an address is put on the list for one sender or all, with a reason, and taken off it by sender', async () => {
    const path = '/api/suppressions/Ann%40far.example';
    const call = (query: string, method = 'POST') => ask(api, `${path}${query}`, { method });
    assert.equal((await call('')).status, 400, 'a reason is needed');
    assert.equal((await call('?reason=x&days=0')).status, 400);
    assert.equal((await call('?reason=x&sender=not%20a%20domain')).status, 400);
    const added = await call('?reason=asked%20for%20it&sender=A.example&days=7');
    assert.deepEqual([added.status, added.body.sender, added.body.by], [201, 'a.example', 'operator']);
    assert.equal(Date.parse(added.body.until) - Date.parse(added.body.since), 7 * 86_400_000);
    assert.equal((await call('?reason=law')).body.until, null);
    const listed = async () =>
      (await ask(api, '/api/suppressions')).body.suppressions.map(({ sender, reason }: any) => [sender, reason]);
    assert.deepEqual(await listed(), [
      ['a.example', 'asked for it'],
      ['*', 'law'],
    ]);
    assert.equal((await call('?sender=*', 'DELETE')).status, 200);
    assert.deepEqual(await listed(), [['a.example', 'asked for it']]);
    assert.equal((await call('', 'DELETE')).status, 200);
    assert.deepEqual(await listed(), []);
  });

  test('listeners get an event for new mail', async () => {
    const { host, port } = api.address;
    const response = await fetch(`http://${host}:${port}/api/events`);
    assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
    world.addMessage(sampleMessage({ subject: 'Told' }));
    let text = '';
    for await (const piece of response.body!) {
      text += Buffer.from(piece).toString();
      if (text.includes('Told')) break;
    }
    assert.match(text, /event: message\ndata: \{"id":"01KAJ5/);
  });

  test('a thousand messages that are stored at the same moment are a thousand events', async () => {
    const { host, port } = api.address;
    const response = await fetch(`http://${host}:${port}/api/events`);
    for (let n = 0; n < 1_000; n += 1) world.addMessage(sampleMessage({ id: sampleId(n), subject: `Told ${n}.` }));
    let text = '';
    for await (const piece of response.body!) {
      text += Buffer.from(piece).toString();
      if (text.includes('Told 999.')) break;
    }
    assert.equal(text.match(/^event: message$/gm)?.length, 1_000);
  });

  test('health is 503 with its reasons when something is wrong; metrics have the queues', async () => {
    assert.equal((await ask(api, '/health')).body.status, 'ok');
    const ill = await startOpsApi(
      opsDeps(world, { health: () => ({ ok: false, mode: 'capture', problems: ['disk full'], details: {} }) }),
    );
    closing.push(ill);
    const { status, body } = await ask(ill, '/health');
    assert.equal(status, 503);
    assert.deepEqual(body.problems, ['disk full']);
    const metrics = (await ask(api, '/metrics')).text;
    assert.match(metrics, /^pillarbox_messages_total 1\n/);
    assert.match(metrics, /pillarbox_queue_jobs\{queue="received",state="dead"\} 2/);
  });

  const wrong = [
    { path: '/api/messages?limit=0', status: 400, says: /limit: expected a whole number/ },
    { path: '/api/messages?limit=1e2', status: 400, says: /limit/ },
    { path: '/api/messages?limit=5&limit=6', status: 400, says: /limit: expected it once/ },
    { path: '/api/messages?colour=red', status: 400, says: /colour: expected one of mailbox, q, limit, after/ },
    { path: '/api/messages?mailbox=nobody', status: 400, says: /mailbox: expected local@domain/ },
    { path: '/api/messages?after=zzz', status: 400, says: /after: expected the "next"/ },
    { path: `/api/messages?q=${'x'.repeat(501)}`, status: 400, says: /q: expected at most 500/ },
    { path: '/api/messages/not-an-id', status: 400, says: /ID: expected a message id/ },
    { path: '/api/messages/%E0%A4%A/raw', status: 404, says: /there is no/ },
    { path: '/api/deliveries?state=odd', status: 400, says: /state: expected one of sending, waiting/ },
    { path: '/api/deliveries?after=x', status: 400, says: /after/ },
    { path: '/nowhere', status: 404, says: /there is no \/nowhere/ },
    { path: '/../../etc/passwd', status: 404, says: /there is no/ },
    { path: `/${'x'.repeat(5_000)}`, status: 414, says: /at most 4096/ },
    { path: '/api/queues', method: 'POST', status: 405, says: /only GET, HEAD here/ },
    { path: '/api/queues/parse/redrive', status: 405, says: /only POST here/ },
    { path: '/api/queues/parse/redrive?x=1', method: 'POST', status: 400, says: /x: expected no parameters/ },
    { path: '/api/queues/parse/purge?x=1', method: 'POST', status: 400, says: /x: expected no parameters/ },
    { path: `/api/deliveries/${sampleId(2)}/a.example/retry?x=1`, method: 'POST', status: 400, says: /x: expected no/ },
    { path: '/api/suppressions/a%40a.example?x=1', method: 'DELETE', status: 400, says: /x: expected one of sender/ },
    { path: '/', method: 'POST', status: 405, says: /only GET, HEAD here/ },
    {
      path: '/api/queues/parse/redrive',
      method: 'POST',
      headers: { 'content-length': '3' },
      status: 413,
      says: /this request takes no body/,
    },
  ];
  for (const { path, status, says, ...options } of wrong) {
    test(`${options.method ?? 'GET'} ${path.slice(0, 50)} is refused with ${status} and says why`, async () => {
      const reply = await ask(api, path, options);
      assert.equal(reply.status, status);
      assert.match(reply.body.error.message, says);
    });
  }

  test('the activity has what came and went in each minute', async () => {
    const { status, body } = await ask(api, '/api/activity');
    assert.equal(status, 200);
    assert.deepEqual(body, { since: '2025-11-21T03:00:00.000Z', minutes: [], hours: [] });
    assert.equal((await ask(api, '/api/activity?x=1')).status, 400);
  });

  test('an empty object, as many clients send with POST, is no body', async () => {
    const { host, port } = api.address;
    const url = `http://${host}:${port}/api/queues/parse/redrive`;
    assert.equal((await fetch(url, { method: 'POST', body: '{}' })).status, 200);
    assert.equal((await fetch(url, { method: 'POST', body: '{"a": 1}' })).status, 413);
  });

  test('a wrong method is answered with those that are right', async () => {
    assert.equal((await ask(api, '/api/queues', { method: 'PUT' })).headers['allow'], 'GET, HEAD');
  });

  test('a fault of the store is a 500 without its words', async () => {
    world.addMessage(sampleMessage());
    world.store.fail = new Error('password of the disk is hunter2');
    const { status, text } = await ask(api, `/api/messages/${sampleId()}`);
    assert.equal(status, 500);
    assert.doesNotMatch(text, /hunter2/);
  });

  test('a store that fails in the midst of a body is in the log, and the client sees that the body is cut', async () => {
    const log = silentLog();
    world.addMessage(sampleMessage());
    const broken = async function* () {
      yield Buffer.alloc(1_000);
      throw new Error('disk on fire');
    };
    const store = {
      ...world.store,
      get: async (key: string) => {
        const found = await world.store.get(key);
        return found === null || !key.endsWith('.eml') ? found : { ...found, bytes: 5_000, body: broken() };
      },
    };
    const failing = await startOpsApi(opsDeps(world, { log, store }));
    closing.push(failing);
    const { host, port } = failing.address;
    const url = `http://${host}:${port}/api/messages/${sampleId()}/raw`;
    await assert.rejects(fetch(url).then((answer) => answer.text()));
    assert.equal(log.of('ops-api-failed').length, 1);
  });

  test('every answer says that it is one of this API, refusals too', async () => {
    for (const path of ['/health', '/api/messages', '/api/nothing', '/'])
      assert.equal((await ask(api, path)).headers['pillarbox-api'], '1', path);
    assert.equal((await ask(api, '/health', { headers: { host: 'evil.example' } })).headers['pillarbox-api'], '1');
  });

  test('a client is told how long its connection may rest, so that it sends no request into one that is ending', async () => {
    const { headers } = await ask(api, '/health', { headers: { connection: 'keep-alive' } });
    assert.match(String(headers['keep-alive']), /timeout=30/);
  });

  test('the page and its files come with a strict policy', async () => {
    const { text: page } = await ask(api, '/');
    const named = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? '');
    assert.equal(named.length, 3);
    for (const path of ['/', ...named]) {
      const { status, headers } = await ask(api, path);
      assert.equal(status, 200);
      assert.match(String(headers['content-security-policy']), /^default-src 'none'; script-src 'self'/);
    }
  });
});

describe('who may use the ops API', () => {
  const world = sampleWorld();
  const token = 'a-token-of-some-length';
  let open: OpsApi;
  let guarded: OpsApi;
  before(async () => {
    open = await startOpsApi(opsDeps(world));
    guarded = await startOpsApi(opsDeps(world, { token }));
  });
  after(async () => {
    await open.close();
    await guarded.close();
  });

  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  const cases = [
    { about: 'a name of this machine', headers: { host: 'localhost:8025' }, status: 200 },
    { about: 'its IPv6 loopback address', headers: { host: '[::1]:8025' }, status: 200 },
    { about: 'a name that leads to 127.0.0.1', headers: { host: 'rebound.example:8025' }, status: 403 },
    { about: 'a name that begins like localhost', headers: { host: 'localhost.evil.example' }, status: 403 },
    {
      about: 'a POST from its own page',
      method: 'POST',
      headers: { host: 'localhost:8025', origin: 'http://localhost:8025', 'sec-fetch-site': 'same-origin' },
      status: 200,
    },
    { about: 'a POST from another site', method: 'POST', headers: { origin: 'https://evil.example' }, status: 403 },
    { about: 'a POST from a sandboxed frame', method: 'POST', headers: { origin: 'null' }, status: 403 },
    {
      about: 'a POST that the browser calls cross-site',
      method: 'POST',
      headers: { 'sec-fetch-site': 'cross-site' },
      status: 403,
    },
    {
      about: 'what a page from elsewhere loads',
      headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'image' },
      status: 403,
    },
    {
      about: 'a link that is followed from elsewhere',
      headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'document' },
      status: 200,
    },
    { about: 'no token where one is needed', token: true, headers: {}, status: 401 },
    { about: 'a wrong token', token: true, headers: { authorization: 'Bearer a-token-of-some-lengti' }, status: 401 },
    { about: 'the token', token: true, headers: { authorization: `Bearer ${token}` }, status: 200 },
    { about: 'the token as password', token: true, headers: { authorization: basic(`x:${token}`) }, status: 200 },
    { about: 'another password', token: true, headers: { authorization: basic('x:other') }, status: 401 },
  ];
  for (const { about, headers, status, method = 'GET', token: needsToken = false } of cases) {
    test(`${about}: ${status}`, async () => {
      const path = method === 'POST' ? '/api/queues/parse/redrive' : '/api/queues';
      assert.equal(
        (await ask(needsToken ? guarded : open, path, { method, headers: headers as never })).status,
        status,
      );
    });
  }

  test('bound where others reach it, it does not start without a token, nor with a short one', async () => {
    await assert.rejects(startOpsApi(opsDeps(world, { host: '0.0.0.0' })), /needs a token/);
    await assert.rejects(startOpsApi(opsDeps(world, { host: '0.0.0.0', token: 'short' })), /at least 16/);
  });
});
