import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { composeDsn, isReportWanted } from '#mail/dsn/dsn.ts';
import type { DsnInput, DsnRecipient } from '#mail/dsn/dsn-input.ts';

const original = Buffer.from(
  'Received: from x\r\nFrom: joe@sender.example\r\nTo: nobody@there.example\r\nMessage-ID: <abc@sender.example>\r\n' +
    'Subject: Hello\r\n\r\nBody text\r\n',
);
const recipient: DsnRecipient = {
  finalRecipient: 'nobody@there.example',
  originalRecipient: 'rfc822;alias@example.org',
  action: 'failed',
  status: '5.1.1',
  remoteMta: 'mx.there.example',
  diagnostic: '550 5.1.1 <nobody@there.example>: no such user here',
  explanation: 'The address does not exist.',
  lastAttemptAt: '2026-11-21T03:10:00.000Z',
  willRetryUntil: null,
};
const input: DsnInput = {
  id: '01JD0000000000000000000000',
  boundary: 'b01JD',
  hostname: 'mx.example.org',
  to: 'joe@sender.example',
  now: '2026-11-21T03:11:00.000Z',
  arrivalAt: '2026-11-21T03:00:00.000Z',
  envid: 'QQ 1',
  ret: null,
  smtpUtf8: false,
  recipients: [recipient],
  original,
  originalBytes: original.length,
};
const compose = (changes: Partial<DsnInput> = {}) => Buffer.from(composeDsn({ ...input, ...changes })).toString();

test('a failure is told in plain words, in fields, and with the message (RFC 3464)', () => {
  assert.equal(
    compose(),
    `From: Mail Delivery System <MAILER-DAEMON@mx.example.org>
To: <joe@sender.example>
Subject: Undelivered mail: your message could not be delivered
Date: Sat, 21 Nov 2026 03:11:00 +0000
Message-ID: <01JD0000000000000000000000@mx.example.org>
In-Reply-To: <abc@sender.example>
References: <abc@sender.example>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="b01JD"

This is a delivery report in MIME format.

--b01JD
Content-Type: text/plain; charset=utf-8
Content-Description: Notification

This is the mail service at mx.example.org. It is about the message you
sent on Sat, 21 Nov 2026 03:00:00 +0000.

Your message could NOT be delivered to:

  <nobody@there.example>
    (you wrote to <alias@example.org>)
    The address does not exist.
    The mail server mx.there.example said: 550 5.1.1 <nobody@there.example>:
    no such user here

Nothing more will be tried. Check the address, or ask the recipient in
another way; then send the message again.

--b01JD
Content-Type: message/delivery-status
Content-Description: Delivery report

Reporting-MTA: dns; mx.example.org
Original-Envelope-Id: QQ 1
Arrival-Date: Sat, 21 Nov 2026 03:00:00 +0000

Original-Recipient: rfc822;alias@example.org
Final-Recipient: rfc822;nobody@there.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.there.example
Diagnostic-Code: smtp; 550 5.1.1 <nobody@there.example>: no such user here
Last-Attempt-Date: Sat, 21 Nov 2026 03:10:00 +0000

--b01JD
Content-Type: message/rfc822
Content-Description: Undelivered message

${original.toString().replaceAll('\r\n', '\n')}
--b01JD--
`.replaceAll('\n', '\r\n'),
  );
});

describe('what is returned (RFC 3461 §4.3)', () => {
  const big = Buffer.concat([original, Buffer.alloc(200_000, 'line of text\r\n')]);
  const utf8 = Buffer.concat([Buffer.from('X: ü\r\n'), original]);
  const rows = [
    { what: 'all of a small message nobody said anything about', changes: {}, type: 'message/rfc822' },
    { what: 'only the header where that was asked', changes: { ret: 'hdrs' as const }, type: 'text/rfc822-headers' },
    {
      what: 'only the header of a big message',
      changes: { original: big, originalBytes: big.length },
      type: 'text/rfc822-headers',
    },
    {
      what: 'all of a big message if asked',
      changes: { original: big, originalBytes: big.length, ret: 'full' as const },
      type: 'message/rfc822',
    },
    {
      what: 'only the header where the rest was not read',
      changes: { originalBytes: 90_000_000, ret: 'full' as const },
      type: 'text/rfc822-headers',
    },
    {
      what: 'only the header where nothing failed',
      changes: { ret: 'full' as const, recipients: [{ ...recipient, action: 'relayed' as const }] },
      type: 'text/rfc822-headers',
    },
    {
      what: 'only the header of a binary message',
      changes: {
        original: Buffer.concat([original, Buffer.from('\0')]),
        originalBytes: original.length + 1,
        ret: 'full' as const,
      },
      type: 'text/rfc822-headers',
    },
    {
      what: 'an ASCII message as ever, though it came with SMTPUTF8',
      changes: { smtpUtf8: true },
      type: 'message/rfc822',
    },
    {
      what: 'a whole UTF-8 message as message/global',
      changes: { smtpUtf8: true, original: utf8, originalBytes: utf8.length },
      type: 'message/global',
    },
    {
      what: 'a UTF-8 header as message/global-headers',
      changes: { smtpUtf8: true, original: utf8, originalBytes: utf8.length, ret: 'hdrs' as const },
      type: 'message/global-headers',
    },
  ];
  for (const { what, changes, type } of rows) {
    test(what, () => {
      const text = compose(changes);
      assert.ok(text.includes(`\r\nContent-Type: ${type}\r\n`), text.slice(-400));
      assert.equal(text.includes('Body text') || text.includes('line of text'), !type.includes('headers'));
      assert.ok(text.includes('Subject: Hello\r\n'));
    });
  }
});

test('an address beyond ASCII is written as it is where the sender takes UTF-8, else escaped (RFC 6533 §3)', () => {
  const recipients = [{ ...recipient, finalRecipient: 'ü@there.example', originalRecipient: 'utf-8;ö@there.example' }];
  const escaped = compose({ recipients });
  assert.ok(escaped.includes('Final-Recipient: utf-8;\\x{FC}@there.example\r\n'));
  assert.ok(escaped.includes('Original-Recipient: utf-8;\\x{F6}@there.example\r\n'));
  assert.ok(escaped.includes('Content-Transfer-Encoding: 8bit'));
  const utf8 = compose({ recipients, smtpUtf8: true });
  assert.ok(utf8.includes('Content-Type: message/global-delivery-status'));
  assert.ok(utf8.includes('Final-Recipient: utf-8;ü@there.example\r\n'));
});

test('a delay says until when it will be tried; every action has its headline', () => {
  const actions = ['delayed', 'relayed', 'expanded', 'delivered', 'failed'] as const;
  const recipients = actions.map((action) => ({ ...recipient, action, willRetryUntil: '2026-11-26T03:00:00.000Z' }));
  assert.match(compose({ recipients }), /Subject: Undelivered mail/);
  assert.match(compose({ recipients: recipients.slice(0, 1) }), /Subject: Delayed mail/);
  assert.match(
    compose({ recipients: recipients.slice(1, 2) }),
    /Subject: Delivery report: your message was handed on\r\n/,
  );
  const text = compose({ recipients });
  for (const action of actions) assert.ok(text.includes(`\r\nAction: ${action}\r\n`));
  assert.match(text.replaceAll('\r\n', ' '), /will be tried again until Thu, 26 Nov 2026 03:00:00 \+0000/);
  assert.ok(text.includes('Will-Retry-Until: Thu, 26 Nov 2026 03:00:00 +0000\r\n'));
});

test('a message that contains the boundary does not end the part it is in', () => {
  const evil = Buffer.from('Subject: x\r\n\r\n--b01JD\r\nContent-Type: text/html\r\n\r\n--b01JD1--\r\n');
  const text = compose({ original: evil, originalBytes: evil.length });
  assert.match(text, /boundary="b01JD2"/);
  assert.equal(text.split('\r\n--b01JD2').length, 5);
});

test('lines of the original that may not travel are left out of its header', () => {
  const odd = Buffer.from(`Subject: Hello\r\nX-Long: ${'x'.repeat(2_000)}\r\nX-Nul: \0\r\nTo: y\r\n\r\n`);
  const text = compose({ original: odd, originalBytes: odd.length, ret: 'hdrs' });
  assert.ok(text.includes('Subject: Hello\r\nTo: y\r\n'));
});

test('whatever the original is, three parts come of it, and every line may travel', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
    fc
      .constantFrom(
        '\r\n',
        '\n',
        '\r',
        '--b01JD',
        '--b01JD--',
        'Subject: x',
        '\r\n\r\n',
        'Message-ID: <',
        'x'.repeat(1_200),
      )
      .map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.boolean(), (pieces, smtpUtf8) => {
      const odd = Buffer.concat(pieces);
      const bytes = Buffer.from(
        composeDsn({ ...input, original: odd, originalBytes: odd.length, ret: 'full', smtpUtf8 }),
      );
      const text = bytes.toString('latin1');
      const boundary = /boundary="([A-Za-z0-9]+)"/.exec(text)?.[1];
      assert.equal(text.split(`--${boundary}`).length, 5);
      assert.doesNotMatch(text, /(?<!\r)\n|\r(?!\n)|\0|[^\r\n]{999}/);
    }),
    { numRuns: 500 },
  );
});

test('a status that is none becomes the general one', () => {
  const text = compose({ recipients: [{ ...recipient, status: '5.1.1\r\nAction: delivered' }] });
  assert.ok(text.includes('\r\nStatus: 5.0.0\r\n'));
});

test('a reply of several lines is told on one', () => {
  const text = compose({ recipients: [{ ...recipient, diagnostic: '550-5.1.1 No\r\n550 5.1.1\tsuch user\r\n' }] });
  assert.ok(text.includes('\r\nDiagnostic-Code: smtp; 550-5.1.1 No 550 5.1.1 such user\r\n'));
});

test('whatever the peer said, every line may travel and no field, part or line is added', () => {
  const plain = compose().split('\r\n--b01JD').length;
  const fieldsOf = (text: string) => text.match(/^[A-Za-z-]+(?=: )/gm)?.filter((name) => name !== 'The') ?? [];
  const words = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 3_000 }),
    fc.constantFrom(
      '\r\n\r\nFinal-Recipient: rfc822; victim@x.example\r\n',
      '\r\n--b01JD--\r\n',
      '\n.\n',
      '\u2028X: y',
      'x'.repeat(20_000),
    ),
  );
  fc.assert(
    fc.property(words, (text) => {
      const hostile = { ...recipient, diagnostic: text, explanation: text, remoteMta: text };
      const lines = compose({ recipients: [hostile], envid: text }).split('\r\n');
      assert.ok(lines.every((line) => Buffer.byteLength(line) <= 998 && !/[\r\n\0]/.test(line)));
      assert.equal(lines.filter((line) => line.startsWith('--b01JD')).length, plain - 1);
      const names = new Set(fieldsOf(lines.filter((line) => /^[A-Z]/.test(line)).join('\n')));
      assert.ok(!names.has('X'));
      assert.equal(lines.filter((line) => line.startsWith('Final-Recipient')).length, 1);
    }),
    { numRuns: 300 },
  );
});

test('the same input gives the same bytes; lines end in CRLF, also those of an original with bare line feeds', () => {
  const bare = Buffer.from('Subject: x\n\nbody\n');
  const text = compose({ original: bare, originalBytes: bare.length });
  assert.equal(text, compose({ original: bare, originalBytes: bare.length }));
  assert.doesNotMatch(text, /(?<!\r)\n|\r(?!\n)/);
});

describe('who is told (RFC 3461 §4.1)', () => {
  const rows = [
    { notify: null, told: ['failed', 'delayed'] },
    { notify: ['never'], told: [] },
    { notify: ['failure'], told: ['failed'] },
    { notify: ['delay'], told: ['delayed'] },
    { notify: ['success'], told: ['delivered', 'relayed', 'expanded'] },
    { notify: ['success', 'failure', 'delay'], told: ['failed', 'delayed', 'delivered', 'relayed', 'expanded'] },
  ] as const;
  const actions = ['failed', 'delayed', 'delivered', 'relayed', 'expanded'] as const;
  for (const { notify, told } of rows) {
    test(`NOTIFY=${notify?.join() ?? '(nothing)'} is told of ${told.join(', ') || 'nothing'}`, () => {
      const answer = actions.filter((action) => isReportWanted('a@b.example', action, notify));
      assert.deepEqual(answer, told);
      assert.ok(actions.every((action) => !isReportWanted('', action, notify)));
    });
  }
});
