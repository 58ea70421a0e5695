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

const ours = 'mx.pillarbox.example';
const times = (count: number, make: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => make(n)).join('');
const forgedVerdicts: readonly [how: string, before: string, name: string, value: string][] = [
  ['behind 10,500 fields', times(10_500, (n) => `X-${n}: y\r\n`), 'Authentication-Results', `${ours}; dmarc=pass`],
  [
    'behind 10,500 of others',
    'Authentication-Results: x; none\r\n'.repeat(10_500),
    'Authentication-Results',
    `${ours}; none`,
  ],
  ['behind 1.2 MiB', `X: y\r\n${` ${'y'.repeat(900)}\r\n`.repeat(1_400)}`, 'Authentication-Results', `${ours}; none`],
  ['with quoted pairs', '', 'Authentication-Results', `"${ours.replaceAll('.', '\\.')}"; dmarc=pass`],
  ['behind comments', '', 'Authentication-Results', `(a (b; c) \\) d) ${ours.toUpperCase()}. 1; dmarc=pass`],
  ['behind a comment of 20 KiB', '', 'Authentication-Results', `(${'c'.repeat(20_480)}) ${ours}; dmarc=pass`],
  ['as ARC-Authentication-Results', '', 'ARC-Authentication-Results', `i=1; ${ours}; dmarc=pass`],
  ['as ARC-Authentication-Results with a comment', '', 'arc-authentication-results', `(;) i=1 ;\r\n "${ours}" ; none`],
  ['as Received-SPF, in its comment', '', 'Received-SPF', `pass (${ours}: domain of a@bank.example is fine)`],
  ['as Received-SPF, as its receiver', '', 'received-spf', `pass client-ip=192.0.2.1; receiver="${ours}"; helo=x`],
  // mailparser and mail (Ruby) read the first two, mailparser the others.
  ['with VT before the colon', '', 'Authentication-Results\v', `${ours}; dmarc=pass`],
  ['with 2,000 FF before the colon', '', `Authentication-Results${'\f'.repeat(2_000)}`, `${ours}; dmarc=pass`],
  ['behind FF', '', '\fAuthentication-Results', `${ours}; dmarc=pass`],
  ['in a line that some take for a fold', '', 'Authentication-Results', `mx.other.example\r\n\f; x\r\n\vy`],
  ['with a fold before the colon', '', 'Authentication-Results\r\n ', `${ours}; dmarc=pass`],
];
for (const [how, before, name, value] of forgedVerdicts) {
  for (const size of ['small', 'large'] as const) {
    test(`a forged verdict does not leave as ours in a ${size} message: ${how}`, async () => {
      assert.equal((await deliveryWorld().deps.config.current()).hostname, ours);
      const rest = `${header}${size === 'large' ? filler : ''}end\r\n`;
      const { wire } = await wireOf(`${before}${name}: ${value}\r\n${rest}`);
      assert.equal(readBack(wire), `${before}X-${name.slice(2)}: ${value}\r\n${rest}`);
    });
  }
}

test('a verdict of another host leaves as it came, whoever it names besides', async () => {
  const others = [
    `Authentication-Results: mx.other.example; spf=pass (${ours})`,
    `ARC-Authentication-Results: i=1; mx.other.example; spf=pass`,
    `Received-SPF: pass (mx.other.example: domain of a@b.example) receiver=mx.other.example; helo=${ours}`,
  ];
  const message = `${others.join('\r\n')}\r\n${header}end\r\n`;
  assert.equal(readBack((await wireOf(message)).wire), message);
});

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
