// Read state and tags: what a list then says, what mailboxes count, who is told.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createOpsApp, type OpsApp } from '#ops/api/ops-app.ts';
import { serviceRoutes } from '#ops/api/routes.ts';
import { type SampleWorld, sampleId, sampleMessage, sampleWorld } from '#test/support/samples/sample-message.ts';
import { serviceDeps } from '#test/support/worlds/ops-deps.ts';

function start(): { world: SampleWorld; app: OpsApp } {
  const world = sampleWorld();
  world.addMessage(sampleMessage());
  world.addMessage(sampleMessage({ mailbox: { domain: 'a.example', localPart: 'eve', tag: null } }));
  world.addMessage(sampleMessage({ id: sampleId(2), subject: 'Second' }));
  return { world, app: createOpsApp(serviceDeps(world), serviceRoutes) };
}

async function ask(app: OpsApp, at: string): Promise<{ status: number; body: any }> {
  const [method = '', url = ''] = at.split(' ');
  const { status, body } = await app({ method, url });
  return { status, body: JSON.parse(String(body)) };
}

const marksOf = async (app: OpsApp) =>
  (await ask(app, 'GET /api/messages')).body.messages.map(({ id, read, tags }: any) => [id, read, ...tags]);

describe('marks', () => {
  test('a message is unread without tags until somebody says otherwise, in all its mailboxes', async () => {
    const { app, world } = start();
    const [one, two] = [sampleId(1), sampleId(2)];
    assert.deepEqual(await marksOf(app), [
      [two, false],
      [one, false],
    ]);
    assert.deepEqual((await ask(app, `POST /api/messages/${one}/read`)).body, { id: one, read: true, tags: [] });
    await ask(app, `POST /api/messages/${one}/tags?tags=late,%20to%20do%20,late`);
    assert.deepEqual(await marksOf(app), [
      [two, false],
      [one, true, 'late', 'to do'],
    ]);
    assert.deepEqual(world.store.json(`marks/2025/11/21/${one}.json`), {
      schema: 'marks/1',
      id: one,
      read: true,
      tags: ['late', 'to do'],
    });
    await ask(app, `POST /api/messages/${one}/tags?tags=`);
    await ask(app, `POST /api/messages/${one}/unread`);
    assert.deepEqual(await marksOf(app), [
      [two, false],
      [one, false],
    ]);
  });

  test('mailboxes count their copies, the service each message once', async () => {
    const { app } = start();
    await ask(app, `POST /api/messages/${sampleId(1)}/read`);
    await ask(app, `POST /api/messages/${sampleId(2)}/tags?tags=b,a`);
    assert.deepEqual((await ask(app, 'GET /api/mailboxes')).body, {
      mailboxes: [
        { name: 'ann@a.example', messages: 2, unread: 1 },
        { name: 'eve@a.example', messages: 1, unread: 0 },
      ],
      messages: 2,
      unread: 1,
      tags: [
        { name: 'a', messages: 1 },
        { name: 'b', messages: 1 },
      ],
    });
  });

  test('many are marked by a search, a mailbox, or all; only those whose mark changed are counted', async () => {
    const { app } = start();
    assert.equal((await ask(app, 'POST /api/messages/read')).status, 400);
    assert.deepEqual((await ask(app, 'POST /api/messages/read?q=second')).body, { marked: 1, left: 0, next: null });
    assert.deepEqual((await ask(app, 'POST /api/messages/read?all=true')).body, { marked: 1, left: 0, next: null });
    assert.deepEqual((await ask(app, 'POST /api/messages/unread?mailbox=eve@a.example')).body, {
      marked: 1,
      left: 0,
      next: null,
    });
    assert.deepEqual(await marksOf(app), [
      [sampleId(2), true],
      [sampleId(1), false],
    ]);
  });

  test('a request that takes long marks some; the next ones mark the rest, nothing twice, and nothing that came in since', async () => {
    const world = sampleWorld();
    const seconds = Array.from({ length: 60 }, (_, n) => n * 6_000);
    const app = createOpsApp({ ...serviceDeps(world), clock: () => seconds.shift() ?? 0 }, serviceRoutes);
    for (let n = 1; n <= 600; n++) world.addMessage(sampleMessage({ id: sampleId(n) }));
    const written: string[] = [];
    world.admin.watch((key) => {
      if (key.startsWith('marks/')) written.push(key);
    });
    const first = (await ask(app, 'POST /api/messages/read?all=true')).body;
    assert.deepEqual([first.marked, first.left, typeof first.next], [250, 350, 'string']);
    world.addMessage(sampleMessage({ id: sampleId(601) }));
    const goingOn = `&after=${encodeURIComponent(first.next)}`;
    const second = (await ask(app, `POST /api/messages/read?all=true${goingOn}`)).body;
    assert.deepEqual([second.marked, second.left], [250, 101]);
    const last = `&after=${encodeURIComponent(second.next)}`;
    assert.deepEqual((await ask(app, `POST /api/messages/read?all=true${last}`)).body, {
      marked: 100,
      left: 0,
      next: null,
    });
    assert.deepEqual(await marksOf(app).then((marks) => marks[0]), [sampleId(601), false]);
    const again = (await ask(app, 'POST /api/messages/read?all=true')).body;
    assert.deepEqual(again, { marked: 1, left: 0, next: null });
    assert.deepEqual([written.length, new Set(written).size], [601, 601]);
  });

  test('a search that is marked says no number, and is never at an end too early or too late', async () => {
    const world = sampleWorld();
    const seconds = Array.from({ length: 60 }, (_, n) => n * 6_000);
    const app = createOpsApp({ ...serviceDeps(world), clock: () => seconds.shift() ?? 0 }, serviceRoutes);
    for (let n = 1; n <= 300; n++) world.addMessage(sampleMessage({ id: sampleId(n), subject: 'many' }));
    const { marked, left, next } = (await ask(app, 'POST /api/messages/read?q=many')).body;
    assert.deepEqual([marked, left, typeof next], [250, null, 'string']);
    const end = { marked: 50, left: 0, next: null };
    assert.deepEqual(
      (await ask(app, 'POST /api/messages/read?q=many')).body,
      end,
      'those that are marked are not looked at',
    );
    const words = Array.from({ length: 20 }, () => 'many').join('+');
    const unread = (await ask(app, `POST /api/messages/unread?q=${words}`)).body;
    assert.equal(unread.marked, 250, 'a search with as many words as there may be');
    const rest = `&after=${encodeURIComponent(unread.next)}`;
    assert.deepEqual((await ask(app, `POST /api/messages/unread?q=${words}${rest}`)).body, end);
  });

  test('what is in no mailbox, and tags that are too many, too long or hold a quote, are refused', async () => {
    const { app, world } = start();
    assert.equal((await ask(app, `POST /api/messages/${sampleId(7)}/read`)).status, 404);
    for (const tags of [Array.from({ length: 21 }, (_, n) => `t${n}`).join(), 'x'.repeat(51), 'a%22b', 'a%00']) {
      assert.equal((await ask(app, `POST /api/messages/${sampleId(1)}/tags?tags=${tags}`)).status, 400, tags);
    }
    assert.deepEqual(world.store.keys('marks/'), []);
  });

  test('an event tells of each change, and the marks go with the message', async () => {
    const { app, world } = start();
    const stream = (await app({ method: 'GET', url: '/api/events' })).body as AsyncIterable<Uint8Array>;
    const id = sampleId(1);
    await ask(app, `POST /api/messages/${id}/read`);
    let text = '';
    for await (const chunk of stream) {
      text += Buffer.from(chunk).toString();
      if (text.includes('event: marked')) break;
    }
    assert.ok(text.endsWith(`event: marked\ndata: ${JSON.stringify({ ids: [id], read: true, tags: [] })}\n\n`), text);
    await ask(app, `DELETE /api/messages/${id}`);
    assert.deepEqual(world.store.keys('marks/'), []);
  });
});
