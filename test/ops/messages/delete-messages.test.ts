// Deleting mail: what goes with a message, what stays since others need it, and who is told.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MessageId } from '#mail/header/message-id.ts';
import { createOpsApp, type OpsApp } from '#ops/api/ops-app.ts';
import { serviceRoutes } from '#ops/api/routes.ts';
import { type DeliveryState, newDeliveryState } from '#pipeline/contract/records/delivery.ts';
import { sampleDeliverJob } from '#test/support/samples/sample-jobs.ts';
import { type SampleWorld, sampleId, sampleMessage, sampleWorld } from '#test/support/samples/sample-message.ts';
import { serviceDeps } from '#test/support/worlds/ops-deps.ts';

const folder = '2025/11/21';
const eve = { domain: 'a.example', localPart: 'eve', tag: null };

function start(): { world: SampleWorld; app: OpsApp } {
  const world = sampleWorld();
  return { world, app: createOpsApp(serviceDeps(world), serviceRoutes) };
}

/** A message with all that can hang on one. */
function seed(world: SampleWorld, n: number): MessageId {
  const id = sampleId(n);
  const raw = { key: `raw/${folder}/03/${id}.eml`, bytes: 20, sha256: '0'.repeat(64) };
  world.store.seed(`attachments/${folder}/${id}/1`, 'picture');
  world.store.seed(`attachments/${folder}/${id}/html`, '<p>');
  world.store.seed(`verdicts/${folder}/${id}.json`, '{}');
  world.store.seed(`raw/${folder}/03/${id}.envelope.json`, '{}');
  world.addMessage(sampleMessage({ id, raw }));
  return id;
}

function seedDelivery(world: SampleWorld, id: MessageId, state: DeliveryState['state']): string {
  const job = { ...sampleDeliverJob(), id };
  const key = `deliveries/${folder}/${id}/far.example.json`;
  world.store.seed(key, JSON.stringify({ ...newDeliveryState(job, 0), state }));
  return key;
}

const remove = async (app: OpsApp, url: string): Promise<{ status: number; body: any }> => {
  const { status, body } = await app({ method: 'DELETE', url });
  return { status, body: JSON.parse(String(body)) };
};

describe('deleting mail', () => {
  test('a message goes with its attachments, its verdict and its bytes; another stays as it is', async () => {
    const { world, app } = start();
    const [gone, kept] = [seed(world, 1), seed(world, 2)];
    assert.deepEqual(await remove(app, `/api/messages/${gone}`), { status: 200, body: { deleted: 1 } });
    const left = world.store.keys();
    assert.deepEqual(
      left.filter((key) => key.includes(gone)),
      [],
    );
    assert.equal(left.filter((key) => key.includes(kept)).length, 6);
    assert.equal((await remove(app, `/api/messages/${gone}`)).status, 404);
  });

  test('of a message in two mailboxes one copy can go, and all else stays until the other goes', async () => {
    const { world, app } = start();
    const id = seed(world, 1);
    world.addMessage(sampleMessage({ id, mailbox: eve }));
    assert.deepEqual((await remove(app, `/api/messages/${id}?mailbox=eve@a.example`)).body, { deleted: 1 });
    assert.deepEqual(world.store.keys('inbox/'), [`inbox/a.example/ann/${folder}/${id}.json`]);
    assert.equal(world.store.keys('attachments/').length, 2);
    assert.deepEqual((await remove(app, '/api/messages?mailbox=@a.example')).body, { deleted: 1, left: 0 });
    assert.deepEqual(world.store.keys(), []);
  });

  for (const state of ['sending', 'waiting'] as const) {
    test(`a delivery that is ${state} keeps its record and the bytes it sends`, async () => {
      const { world, app } = start();
      const id = seed(world, 1);
      const delivery = seedDelivery(world, id, state);
      await remove(app, `/api/messages/${id}`);
      const raw = `raw/${folder}/03/${id}`;
      assert.deepEqual(world.store.keys(), [delivery, `${raw}.eml`, `${raw}.envelope.json`]);
    });
  }

  test('a delivery that has ended stays as a record, without the bytes', async () => {
    const { world, app } = start();
    const id = seed(world, 1);
    const delivery = seedDelivery(world, id, 'delivered');
    await remove(app, `/api/messages/${id}`);
    assert.deepEqual(world.store.keys(), [delivery]);
  });

  test('the bytes stay while a job of the message is on a queue', async () => {
    const { world, app } = start();
    const id = seed(world, 1);
    world.busy.add(id);
    await remove(app, `/api/messages/${id}`);
    assert.deepEqual(world.store.keys('raw/').length, 2);
    assert.deepEqual(world.store.keys('inbox/'), []);
  });

  test('a search deletes what it finds, page after page; nothing said deletes nothing', async () => {
    const { world, app } = start();
    for (let n = 1; n <= 1_040; n++)
      world.addMessage(sampleMessage({ id: sampleId(n), subject: n % 2 ? 'odd' : 'even' }));
    for (const url of ['', '?q=', '?all=false', '?all=true&q=odd', '?all=yes']) {
      assert.equal((await remove(app, `/api/messages${url}`)).status, 400, url);
    }
    assert.equal(world.store.keys('inbox/').length, 1_040);
    assert.deepEqual((await remove(app, '/api/messages?q=odd')).body, { deleted: 520, left: 0 });
    assert.equal(world.store.keys('inbox/').length, 520);
    assert.deepEqual((await remove(app, '/api/messages?all=true')).body, { deleted: 520, left: 0 });
    assert.deepEqual(world.store.keys(), []);
  });

  test('a request that takes long deletes some and says how many are left, for the next one', async () => {
    const world = sampleWorld();
    const seconds = Array.from({ length: 20 }, (_, n) => n * 3_000);
    const app = createOpsApp({ ...serviceDeps(world), clock: () => seconds.shift() ?? 0 }, serviceRoutes);
    for (let n = 1; n <= 1_050; n++) {
      const mailbox = n <= 650 ? eve : sampleMessage().mailbox;
      world.addMessage(sampleMessage({ id: sampleId(n), subject: 'odd', mailbox }));
    }
    assert.deepEqual((await remove(app, '/api/messages?q=odd')).body, { deleted: 500, left: null });
    assert.deepEqual((await remove(app, '/api/messages?mailbox=eve@a.example')).body, { deleted: 500, left: 50 });
    assert.deepEqual((await remove(app, '/api/messages?all=true')).body, { deleted: 50, left: 0 });
    assert.deepEqual(world.store.keys(), []);
  });

  test('an event names messages that are in no mailbox any more, and another those that lost a copy', async () => {
    const { world, app } = start();
    const stream = (await app({ method: 'GET', url: '/api/events' })).body as AsyncIterable<Uint8Array>;
    const id = seed(world, 1);
    const other = seed(world, 2);
    world.addMessage(sampleMessage({ id: other, mailbox: eve }));
    await remove(app, `/api/messages/${other}?mailbox=eve@a.example`);
    await remove(app, `/api/messages/${id}`);
    const wanted = `event: deleted\ndata: ${JSON.stringify({ ids: [id] })}\n\n`;
    let text = '';
    for await (const chunk of stream) {
      text += Buffer.from(chunk).toString();
      if (text.includes('event: deleted')) break;
    }
    assert.ok(text.endsWith(wanted), text);
    assert.ok(text.includes(`event: changed\ndata: ${JSON.stringify({ ids: [other] })}\n\n`), text);
  });
});
