// What every intake must do, as tests over a factory: message and job together, or neither.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { envelopeKey } from '#pipeline/contract/keys.ts';
import type { Intake, ObjectStore } from '#pipeline/contract/ports.ts';
import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';

export type IntakeUnderTest = {
  readonly intake: Intake;
  readonly store: ObjectStore;
  /** The bodies of all jobs that are now on queue `received`; takes them off it. */
  readonly receivedJobs: () => Promise<readonly string[]>;
  readonly close: () => Promise<void>;
};

/** Registers the tests. `make` answers an empty world; `name` stands before each title. */
export function intakeContract(name: string, make: () => Promise<IntakeUnderTest>): void {
  const check = (title: string, run: (world: IntakeUnderTest) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      const world = await make();
      try {
        await run(world);
      } finally {
        await world.close();
      }
    });
  };

  for (const sizes of [[0], [10], [4_096], [200_000, 62_144], [262_145], [1, 300_000, 1, 9_000_000, 77]]) {
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    check(`a message of ${bytes} bytes in ${sizes.length} chunks is stored and its job queued`, async (world) => {
      const chunks = sizes.map((size) => randomBytes(size));
      const content = Buffer.concat(chunks);
      const job = sampleReceivedJob({ content });
      const envelope = { reversePath: 'ann@sender.example', note: 'é\u{1F600}' };
      const writer = world.intake.open({ key: job.raw.key, envelope });
      for (const chunk of chunks) await writer.write(chunk);
      await writer.commit(job);
      assert.deepEqual(
        (await world.receivedJobs()).map((body) => JSON.parse(body)),
        [job],
      );
      const object = await world.store.get(job.raw.key);
      assert.deepEqual(await collect(object?.body), content);
      assert.equal(object?.contentType, 'message/rfc822');
      assert.deepEqual(JSON.parse(object?.metadata['envelope'] ?? ''), envelope);
    });
  }

  check('a long envelope lies beside the message', async (world) => {
    const job = sampleReceivedJob();
    const recipients = Array.from({ length: 100 }, (_, n) => `recipient-number-${n}@receiver.example`);
    const writer = world.intake.open({ key: job.raw.key, envelope: { recipients } });
    await writer.write(Buffer.from('Subject: hello\r\n\r\nhello\r\n'));
    await writer.commit(job);
    const beside = await world.store.get(envelopeKey(job.raw.key));
    assert.deepEqual(JSON.parse(String(await collect(beside?.body))), { recipients });
    assert.equal((await world.store.head(job.raw.key))?.metadata['envelope-key'], envelopeKey(job.raw.key));
  });

  for (const bytes of [0, 1_000, 400_000]) {
    check(`an aborted message of ${bytes} bytes leaves nothing behind`, async (world) => {
      const job = sampleReceivedJob();
      const writer = world.intake.open({ key: job.raw.key, envelope: {} });
      await writer.write(randomBytes(bytes));
      await writer.abort();
      assert.equal(await world.store.head(job.raw.key), null);
      assert.deepEqual((await world.store.list({ prefix: '' })).objects, []);
      assert.deepEqual(await world.receivedJobs(), []);
    });
  }

  check('a hundred messages at once are all there', async (world) => {
    const jobs = Array.from({ length: 100 }, () => sampleReceivedJob());
    await Promise.all(
      jobs.map(async (job) => {
        const writer = world.intake.open({ key: job.raw.key, envelope: { id: job.id } });
        await writer.write(Buffer.from(`Subject: ${job.id}\r\n\r\nhello\r\n`));
        await writer.commit(job);
        assert.ok((await world.store.head(job.raw.key)) !== null);
      }),
    );
    for (const { id, raw } of jobs) {
      const object = await world.store.get(raw.key);
      assert.equal(String(await collect(object?.body)), `Subject: ${id}\r\n\r\nhello\r\n`);
    }
    const ids = (await world.receivedJobs()).map((body) => JSON.parse(body).id);
    assert.deepEqual(ids.sort(), jobs.map(({ id }) => id).sort());
  });
}

async function collect(body: AsyncIterable<Uint8Array> | undefined): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body ?? []) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}
