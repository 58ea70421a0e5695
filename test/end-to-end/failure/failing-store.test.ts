// The listener over a store that fails now and then, and over a full disk: a client is told 4xx or the truth.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startListener } from '#container/listener.ts';
import { certificateSource } from '#local/certificate.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import type { Intake } from '#pipeline/contract/ports.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { openTestWorld, type TestWorld } from '#test/support/worlds/embedded-world.ts';

test('while store and queue fail at random, clients get 250 or 4xx, and every 250 is true', async (t) => {
  const world = await openTestWorld({ t });
  let isFailing = true;
  const port = await listenOver(
    t,
    world,
    failing(world.intake, () => isFailing),
  );
  const outcomes = await sendAll(port, { connections: 10, each: 30 });
  const refused = outcomes.filter(({ reply }) => !reply.startsWith('250'));
  assert.ok(refused.length > 20 && refused.length < 280, `${refused.length} refused`);
  for (const { reply } of refused) assert.match(reply, /^451 4\.3\.\d /);
  isFailing = false;
  const after = await sendAll(port, { connections: 2, each: 5 });
  assert.ok(after.every(({ reply }) => reply.startsWith('250')));
  await everyAcceptedIsThere(world, [...outcomes, ...after]);
});

test('on a full disk mail is refused for now and not half taken', async (t) => {
  const world = await openTestWorld({ t, maxPages: 60 });
  const port = await listenOver(t, world, world.intake);
  const outcomes = await sendAll(port, { connections: 4, each: 40, bytes: 10_000 });
  const refused = outcomes.filter(({ reply }) => !reply.startsWith('250'));
  assert.ok(refused.length > 10 && refused.length < 160, `${refused.length} refused`);
  for (const { reply } of refused) assert.match(reply, /^45\d 4\.3\.\d /);
  await everyAcceptedIsThere(world, outcomes);
});

type Outcome = { readonly content: Buffer; readonly reply: string };

async function listenOver(t: TestContext, world: TestWorld, intake: Intake): Promise<number> {
  const limits = { connectionsPerIp: 1_000, messagesPerMinutePerIp: 1_000_000 };
  const config = fixedConfig({ mode: 'capture', listeners: [{ role: 'mx', port: 0 }], limits });
  const secrets = { read: async () => '' };
  const listener = await startListener({
    intake,
    config,
    secrets,
    suppressions: async () => ({ outcome: 'written' }),
    srsSecret: async () => 'secret',
    reverseName: async () => null,
    clock: Date.now,
    newMessageId: messageIdFactory(),
    log: silentLog(),
    metrics: noMetrics(),
    certificate: certificateSource({ config, secrets, folder: world.folder, clock: Date.now }),
  });
  t.after(() => listener.close(0));
  return listener.addresses[0]?.port ?? 0;
}

/** Fails before anything is stored, or after all is (the answer is lost), or while the body is written. */
function failing(intake: Intake, isFailing: () => boolean): Intake {
  let count = 0;
  return {
    open: (request) => {
      const writer = intake.open(request);
      const fault = isFailing() ? count++ % 5 : -1;
      const fail = (): never => {
        throw new Error('the store is down');
      };
      return {
        write: (chunk) => (fault === 0 ? Promise.reject(new Error('the store is down')) : writer.write(chunk)),
        commit: async (job) => {
          if (fault === 1) fail();
          await writer.commit(job);
          if (fault === 2) fail();
        },
        abort: writer.abort,
      };
    },
  };
}

async function sendAll(
  port: number,
  { connections, each, bytes = 500 }: { connections: number; each: number; bytes?: number },
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const send = async (connection: number): Promise<void> => {
    let smtp = await rawSmtp(port);
    await smtp.command('EHLO x.example');
    for (let n = 0; n < each; n++) {
      const content = Buffer.from(`Subject: ${connection}-${n}\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(bytes / 72)}`);
      const reply = await sendRaw(smtp, { to: ['bob@receiver.example'], content });
      outcomes.push({ content, reply });
      if (reply.startsWith('421') || smtp.socket.readableEnded) smtp = await rawSmtp(port);
    }
    smtp.close();
  };
  await Promise.all(Array.from({ length: connections }, (_, n) => send(n)));
  return outcomes;
}

async function everyAcceptedIsThere(world: TestWorld, outcomes: readonly Outcome[]): Promise<void> {
  const { objects } = await world.store.list({ prefix: 'raw/' });
  const keys = new Map(objects.map(({ key }) => [/([0-9A-Z]{26})\.eml$/.exec(key)?.[1], key]));
  const queued = new Set((await world.receive('received', 10_000)).map(({ messageId }) => messageId));
  assert.equal(queued.size, objects.length, 'no message without a job, no job without its message');
  for (const { content, reply } of outcomes.filter((outcome) => outcome.reply.startsWith('250'))) {
    const id = /[0-9A-HJKMNP-TV-Z]{26}/.exec(reply)?.[0] ?? '';
    assert.ok(queued.has(id), `job of ${id}`);
    const pieces: Uint8Array[] = [];
    for await (const piece of (await world.store.get(keys.get(id) ?? ''))?.body ?? [])
      pieces.push(Uint8Array.from(piece));
    assert.ok(Buffer.concat(pieces).subarray(-content.length).equals(content), `bytes of ${id}`);
  }
}
