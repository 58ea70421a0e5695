// Small pieces of a message become few, in order and without losing an octet.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPieceGatherer } from '#container/intake/gather-pieces.ts';
import type { Intake } from '#pipeline/contract/ports.ts';
import { fakeIntake } from '#test/support/worlds/fake-intake.ts';
import { rawClient, startTestListener, testConfig } from '#test/support/worlds/start-test-listener.ts';

function gather(pieces: readonly Buffer[]): Buffer[] {
  const gatherer = createPieceGatherer();
  const passed = pieces.map((piece) => gatherer.add(piece));
  return [...passed, gatherer.rest()].filter((piece) => piece !== null);
}

test('whatever the pieces, their octets come out in order, and a held piece is never short', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.nat({ max: 20_000 }).map((bytes) => new Uint8Array(bytes).fill(bytes)),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (arrays) => {
      const pieces = arrays.map((array) => Buffer.from(array));
      const copies = pieces.map((given) => Buffer.from(given));
      const gathered = gather(pieces);
      assert.ok(Buffer.concat(gathered).equals(Buffer.concat(copies)));
      assert.ok(gathered.slice(0, -1).every(({ length }) => length >= 4_096));
    }),
  );
});

test('large pieces, and a small one alone, are passed on as they are', () => {
  const [large, small] = [Buffer.alloc(5_000), Buffer.alloc(10)];
  assert.equal(gather([large])[0], large);
  assert.equal(gather([small])[0], small);
});

test('a message of single octets is written to the store in few pieces', async (t) => {
  const intake = fakeIntake();
  let writes = 0;
  const counting: Intake = {
    open: (message) => {
      const writer = intake.open(message);
      const write = (chunk: Uint8Array) => {
        writes += 1;
        return writer.write(chunk);
      };
      return { ...writer, write };
    },
  };
  const { port } = await startTestListener(t, testConfig, { intake: counting });
  const client = rawClient(port('mx'));
  t.after(client.close);
  await client.reply();
  client.write('EHLO x\r\nMAIL FROM:<a@b.test> BODY=BINARYMIME\r\nRCPT TO:<support@example.test>\r\n');
  for (let count = 0; count < 3; count++) await client.reply();
  client.write(`${'BDAT 1\r\nx'.repeat(5_000)}BDAT 0 LAST\r\n`);
  for (let count = 0; count < 5_000; count++) assert.equal(await client.reply(), '250 2.0.0 1 octets received');
  assert.match((await client.reply()) ?? '', /^250 2\.6\.0/);
  assert.ok(intake.messages[0]?.raw.subarray(-5_000).equals(Buffer.alloc(5_000, 'x')));
  assert.ok(writes < 10, `${writes} writes`);
});
