// What goes over the wire: whatever the stored bytes are, it is lines of CRLF that end at one place only.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type OutgoingMessage, prepareOutgoingMessage } from '#functions/deliver/message/outgoing-message.ts';
import { normaliseLineEndings } from '#mail/smtp/line-endings.ts';
import { deliveryWorld } from '#test/functions/deliver/delivery-world.ts';
import { collect } from '#test/support/fakes/memory-store.ts';

const header = 'From: a@sender.example\r\n\r\n';
const filler = `${'x'.repeat(998)}\r\n`.repeat(270);

async function wireOf(message: string): Promise<{ outgoing: OutgoingMessage; wire: string }> {
  const world = deliveryWorld();
  const outgoing = await prepareOutgoingMessage(
    { ...world.deps, keys: new Map() },
    await world.deps.config.current(),
    world.job({ message: Buffer.from(message, 'latin1') }),
  );
  const wire = outgoing.content.kind === 'small' ? outgoing.content.bytes : await collect(outgoing.content.open());
  await world.close();
  return { outgoing, wire: Buffer.from(wire).toString('latin1') };
}

/** What a host that reads by the book makes of it. */
function readBack(wire: string): string {
  const end = wire.indexOf('\r\n.\r\n');
  assert.equal(end, wire.length - 5, 'the end of data is at the end alone');
  assert.doesNotMatch(wire, /(^|[^\r])\n|\r([^\n]|$)/, 'every line ends in CRLF');
  return wire.slice(0, end + 2).replace(/(^|\r\n)\.\./g, '$1.');
}

function expected(message: string): string {
  const mended = Buffer.from(normaliseLineEndings(Buffer.from(message, 'latin1'))).toString('latin1');
  return mended.endsWith('\r\n') ? mended : `${mended}\r\n`;
}

const ends = [
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r',
  '\r\n.\r',
  '\r.\r\n',
  '\n.\r',
  '\r\r\n.\r\r\n',
  '\r\n\0.\r\n',
  '\r\n.\r\n',
  '\r\n..\r\n',
  '.\r\n',
];
for (const size of ['small', 'large'] as const) {
  test(`no false end of data ends a ${size} message, and no line of it becomes a command`, async () => {
    for (const end of ends) {
      const message = `${header}${size === 'large' ? filler : ''}before${end}MAIL FROM:<evil@evil.example>\r\n.${end}`;
      const { outgoing, wire } = await wireOf(message);
      assert.equal(outgoing.content.kind, size);
      assert.equal(readBack(wire), expected(message), JSON.stringify(end));
    }
  });
}

for (const size of ['small', 'large'] as const) {
  test(`a ${size} message does not leave with a verdict that claims to be ours (RFC 8601 §5)`, async () => {
    const { hostname } = await deliveryWorld().deps.config.current();
    const others = 'authentication-results: mx.other.example; spf=pass\r\nFrom: a@sender.example\r\n';
    const forged = `${hostname.toUpperCase()} 1;\r\n dmarc=pass header.from=bank.example\r\n`;
    const rest = `\r\nAuthentication-Results: ${hostname}; in the body\r\n${size === 'large' ? filler : ''}end\r\n`;
    const name = (one: string): string => `${one}thentication-Results: ${forged}`;
    const { outgoing, wire } = await wireOf(`${others}${name('Au')}${name('au')}${rest}`);
    assert.equal(outgoing.content.kind, size);
    assert.equal(readBack(wire), `${others}${name('X-')}${name('X-')}${rest}`);
  });
}

test('any mixture of dots and line ends arrives as it was meant, small or across the chunks of a large message', async () => {
  const odd = fc
    .array(fc.constantFrom('\r', '\n', '.', '\r\n', '\r\n.', 'a', ' '), { maxLength: 40 })
    .map((parts) => parts.join(''));
  await fc.assert(
    fc.asyncProperty(odd, fc.nat(3), async (text, shift) => {
      const chunkEnd = 65_536 * 5 - header.length - Math.floor(text.length / 2) - shift;
      for (const message of [`${header}${text}`, `${header}${'y'.repeat(chunkEnd)}${text}`]) {
        const { wire } = await wireOf(message);
        assert.equal(readBack(wire), expected(message));
      }
    }),
    { numRuns: 60 },
  );
});

test('the size that is announced is the size that is sent, before dots are doubled', async () => {
  const { outgoing, wire } = await wireOf(`${header}.a\r\n.b\r\n`);
  assert.equal(outgoing.bytes, wire.length - 3 - 2);
});

for (const { title, message, smtpUtf8, needs } of [
  { title: 'ASCII alone', message: header, smtpUtf8: true, needs: false },
  { title: 'UTF-8 in the header', message: `Subject: f\u00c3\u00bcr\r\n${header}`, smtpUtf8: true, needs: true },
  { title: 'UTF-8 in the body only', message: `${header}f\u00c3\u00bcr\r\n`, smtpUtf8: true, needs: false },
  {
    title: 'UTF-8 in the header, not announced by the sender',
    message: `Subject: f\u00c3\u00bcr\r\n${header}`,
    smtpUtf8: false,
    needs: false,
  },
]) {
  test(`SMTPUTF8 is ${needs ? '' : 'not '}needed for ${title}`, async () => {
    const world = deliveryWorld();
    const job = world.job({ message: Buffer.from(message, 'latin1'), smtpUtf8 });
    const outgoing = await prepareOutgoingMessage(
      { ...world.deps, keys: new Map() },
      await world.deps.config.current(),
      job,
    );
    assert.equal(outgoing.needsUtf8, needs);
    await world.close();
  });
}
