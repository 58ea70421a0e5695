import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { createDataScanner } from '#container/session/data-scanner.ts';
import { rawClient, startTestListener, testConfig } from '#test/support/worlds/start-test-listener.ts';

/** What RFC 5321 §4.5.2 says, said simply. */
function reference(sent: string): { content: string; end: number } {
  const end = `\r\n${sent}`.indexOf('\r\n.\r\n');
  const body = end < 0 ? sent : sent.slice(0, end);
  return { content: `\r\n${body}`.replaceAll('\r\n.', '\r\n').slice(2), end: end < 0 ? -1 : end + 3 };
}

function scan(parts: readonly string[]): { content: string; end: number } {
  const scanner = createDataScanner();
  let content = '';
  let offset = 0;
  for (const part of parts) {
    const scanned = scanner.push(Buffer.from(part, 'latin1'), 0);
    content += Buffer.concat(scanned.content).toString('latin1');
    if (scanned.end >= 0) return { content, end: offset + scanned.end };
    offset += part.length;
  }
  return { content, end: -1 };
}

test('the scanner finds the end and the dots wherever packets are cut (RFC 5321 §4.5.2)', () => {
  const piece = fc.constantFrom('\r', '\n', '.', '\r\n', '\r\n.', '..', '\0', 'a', 'text');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.array(fc.nat(60), { maxLength: 6 }), (pieces, cuts) => {
      const sent = `${pieces.join('')}\r\n.\r\nQUIT\r\n`;
      const places = [0, ...cuts.filter((cut) => cut < sent.length).sort((a, b) => a - b), sent.length];
      const parts = places.slice(1).map((place, index) => sent.slice(places[index], place));
      assert.deepEqual(scan(parts), reference(sent));
      assert.deepEqual(scan([...sent]), reference(sent));
    }),
    { numRuns: 2_000 },
  );
});

const falseEnds = [
  '\n.\n',
  '\r\n.\n',
  '\n.\r\n',
  '\r.\r',
  '\r\n.\r',
  '\r.\r\n',
  '\r\n.\0\r\n',
  '\r\n\0.\r\n',
  '\r\n.\r\0\n',
  '\n\n.\n\n',
  '\r\r\n.\n',
];
const smuggled = 'MAIL FROM:<evil@evil.test>\r\nRCPT TO:<support@example.test>\r\nDATA\r\nsmuggled\r\n';
const listener = await startTestListener({ after });
const lenient = await startTestListener({ after }, { ...testConfig, limits: { bareLineFeeds: 'accept' } });

/** Says what is needed up to 354. */
async function begin(port: number): Promise<ReturnType<typeof rawClient>> {
  const client = rawClient(port);
  await client.reply();
  client.socket().setNoDelay(true);
  client.write('EHLO c.test\r\nMAIL FROM:<a@sender.test>\r\nRCPT TO:<support@example.test>\r\nDATA\r\n');
  for (let replies = 0; replies < 4; replies++) await client.reply();
  return client;
}

for (const falseEnd of falseEnds) {
  const shown = JSON.stringify(falseEnd);
  test(`${shown} does not end a message; what hides behind it is never obeyed`, async (t) => {
    const before = listener.intake.messages.length;
    const client = await begin(listener.port('mx'));
    t.after(client.close);
    client.write(`Subject: x\r\n\r\nfirst${falseEnd}${smuggled}\r\n.\r\nNOOP\r\n`);
    const reply = await client.reply();
    const isNulOnly = !/(?<!\r)\n|\r(?!\n)/.test(`x${falseEnd}x`);
    assert.match(reply ?? '', isNulOnly ? /^250 2\.6\.0/ : /^550 5\.6\.11/);
    assert.match((await client.reply()) ?? '', /^250 2\.0\.0/); // NOOP, and nothing between
    assert.equal(listener.intake.messages.length, before + (isNulOnly ? 1 : 0));
  });

  test(`${shown} passes as one message where the configuration accepts bare line feeds`, async (t) => {
    const client = await begin(lenient.port('mx'));
    t.after(client.close);
    const sent = `Subject: x\r\n\r\nfirst${falseEnd}${smuggled}`;
    client.write(`${sent}\r\n.\r\nNOOP\r\n`);
    assert.match((await client.reply()) ?? '', /^250 2\.6\.0/);
    assert.match((await client.reply()) ?? '', /^250 2\.0\.0/);
    const raw = lenient.intake.messages.at(-1)?.raw.toString('latin1') ?? '';
    assert.ok(raw.endsWith(reference(`${sent}\r\n`).content));
  });
}

test('a message is the same wherever it is cut into packets', async (t) => {
  const sent = 'Subject: cut\r\n\r\n..dot\r\n.\r.x\r\n...\r\nlast\r\n.\r\n';
  const client = await begin(lenient.port('mx'));
  t.after(client.close);
  for (let cut = 1; cut < sent.length; cut++) {
    client.write(sent.slice(0, cut));
    await new Promise((resolve) => setImmediate(resolve));
    client.write(`${sent.slice(cut)}MAIL FROM:<a@sender.test>\r\nRCPT TO:<support@example.test>\r\nDATA\r\n`);
    assert.match((await client.reply()) ?? '', /^250 2\.6\.0/);
    for (let replies = 0; replies < 3; replies++) await client.reply();
    const raw = lenient.intake.messages.at(-1)?.raw.toString('latin1') ?? '';
    assert.ok(
      raw.endsWith('Subject: cut\r\n\r\n.dot\r\n\r.x\r\n..\r\nlast\r\n'),
      `cut at ${cut}: ${JSON.stringify(raw)}`,
    );
  }
});
