// What of a stored message a released copy has: all octets but those that are for its sender alone, however they come in pieces.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readHeader } from '#mail/header/read-header.ts';
import { formatReceivedField } from '#mail/header/received-field.ts';
import { copyWithout, leftOutOf } from '#ops/releases/copy-to-release.ts';

const id = '01KAJ5Q8M0AAAAAAAAAAAAAAAA';
const session = { role: 'mx', clientIp: '192.0.2.1', clientName: null, helo: 'h', tls: null, user: null } as const;
const received = (forRecipient: string | null, ofId = id) =>
  formatReceivedField({
    session,
    hostname: 'mx.receiver.example',
    id: ofId,
    receivedAt: '2026-11-21T08:00:00.000Z',
    forRecipient,
    smtpUtf8: false,
  });

async function copied(message: string, pieceBytes: number): Promise<string> {
  const bytes = Buffer.from(message, 'latin1');
  const leftOut = leftOutOf(readHeader(bytes), id);
  assert.ok(leftOut !== null);
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, n) =>
    bytes.subarray(n * pieceBytes, (n + 1) * pieceBytes),
  );
  const chunks: Uint8Array[] = [];
  for await (const chunk of copyWithout(toAsync(pieces), leftOut, Buffer.from('>'))) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

async function* toAsync(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

const rest = 'Subject: \xe4 bcc: x\r\nTo: bob@b.example\r\n\r\nBcc: this is text\r\n.\r\nReceived: for <x>;\r\n';
const rows = [
  { title: 'a message without anything private', stored: rest, copy: rest },
  {
    title: 'Bcc, in any case, folded, twice',
    stored: `bCC: a@a.example,\r\n b@b.example\r\nX: y\r\nBcc : c\r\n${rest}`,
    copy: `X: y\r\n${rest}`,
  },
  {
    title: 'Resent-Bcc and Return-Path (RFC 5321 §4.4)',
    stored: `Return-Path: <a@a.example>\r\nResent-Bcc: c@c.example\r\n${rest}`,
    copy: rest,
  },
  { title: 'Bcc as the last field of a message without a body', stored: 'To: a\r\nBcc: b\r\n', copy: 'To: a\r\n' },
  {
    title: 'the recipient in our own Received field',
    stored: received('hidden@b.example') + rest,
    copy: received(null) + rest,
  },
  { title: 'one with quotes', stored: received('"x> for <y"@b.example') + rest, copy: received(null) + rest },
  {
    title: "somebody else's Received field",
    stored: `${received(null)}${received('seen@b.example', 'x')}${rest}`,
    copy: `${received(null)}${received('seen@b.example', 'x')}${rest}`,
  },
];
for (const { title, stored, copy } of rows) {
  test(`${title}: in pieces of any size`, async () => {
    for (const pieceBytes of [1, 7, 64, 10_000]) {
      const plain = (text: string) => text.replace(/\r\n (?=by|with|id|for|\()/g, ' ').replace(/;\r\n? /g, '; ');
      assert.equal(plain(await copied(stored, pieceBytes)), plain(`>${copy}`), String(pieceBytes));
    }
  });
}

test('of a header that is too large to be read nobody knows whether a Bcc is left, so there is no copy', () => {
  const fields = Array.from({ length: 10_001 }, (_, n) => `X-${n}: y\r\n`).join('');
  assert.equal(leftOutOf(readHeader(Buffer.from(`${fields}Bcc: b@b.example\r\n\r\n`)), id), null);
});
