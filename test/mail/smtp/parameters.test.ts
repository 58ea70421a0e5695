import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isProblem } from '#mail/problem.ts';
import {
  mailCommand,
  offeredKeywords,
  offeredParameters,
  parseMailParameters,
  parseRcptParameters,
  rcptCommand,
} from '#mail/smtp/parameters.ts';
import { decodeOriginalRecipient, decodeXtext, encodeOriginalRecipient, encodeXtext } from '#mail/smtp/xtext.ts';

const none = {
  size: null,
  bodyType: '7bit',
  smtpUtf8: false,
  requireTls: false,
  mtPriority: 0,
  ret: null,
  envid: null,
  auth: null,
};

describe('parameters of MAIL FROM', () => {
  const rows = [
    { text: '', expected: {} },
    { text: 'SIZE=1000 BODY=8BITMIME', expected: { size: 1_000, bodyType: '8bitmime' } },
    { text: 'size=0 body=BinaryMime', expected: { size: 0, bodyType: 'binarymime' } },
    { text: 'SIZE=99999999999999999999', expected: { size: Number.MAX_SAFE_INTEGER } },
    { text: 'SMTPUTF8 REQUIRETLS', expected: { smtpUtf8: true, requireTls: true } },
    { text: 'RET=FULL ENVID=QQ314159', expected: { ret: 'full', envid: 'QQ314159' } },
    { text: 'RET=hdrs ENVID=a+20b+3Dc', expected: { ret: 'hdrs', envid: 'a b=c' } },
    { text: 'MT-PRIORITY=0', expected: { mtPriority: 0 } },
    { text: 'mt-priority=-9', expected: { mtPriority: -9 } },
    { text: 'MT-PRIORITY=9', expected: { mtPriority: 9 } },
    { text: 'AUTH=<>', expected: { auth: '' } },
    { text: 'AUTH=e+3Dmc2@b.example', expected: { auth: 'e=mc2@b.example' } },
    { text: 'AUTH=ü@b.example', expected: { auth: 'ü@b.example' } },
  ];
  for (const { text, expected } of rows) {
    test(`"${text}" is understood`, () => assert.deepEqual(parseMailParameters(text), { ...none, ...expected }));
  }

  const refused = [
    { text: 'SIZE', code: 501 },
    { text: 'SIZE=', code: 501 },
    { text: 'SIZE=-1', code: 501 },
    { text: 'SIZE=1e3', code: 501 },
    { text: 'SIZE=999999999999999999999', code: 501 },
    { text: 'SIZE=1 size=2', code: 501 },
    { text: 'BODY=9BIT', code: 501 },
    { text: 'BODY', code: 501 },
    { text: 'SMTPUTF8=yes', code: 501 },
    { text: 'REQUIRETLS=1', code: 501 },
    { text: 'RET=BODY', code: 501 },
    { text: `ENVID=${'a'.repeat(101)}`, code: 501 },
    { text: 'ENVID=a+0D', code: 501 },
    { text: 'ENVID=a+zz', code: 501 },
    { text: 'AUTH=nobody', code: 501 },
    ...['', '=', '=10', '=-10', '=+3', '=-0', '=03', '=3.5', '=high'].map((value) => ({
      text: `MT-PRIORITY${value}`,
      code: 501,
    })),
    { text: '=x', code: 501 },
    { text: 'SIZE=1=2', code: 501 },
    { text: `X=${'a'.repeat(10_000)}`, code: 501 },
    { text: 'FOO=bar', code: 555 },
    { text: '__proto__', code: 501 },
    { text: 'constructor', code: 555 },
    { text: 'NOTIFY=NEVER', code: 555 },
  ];
  for (const { text, code } of refused) {
    test(`"${text.slice(0, 40)}" is answered ${code} 5.5.4`, () => {
      const answer = parseMailParameters(text);
      assert.ok(isProblem(answer));
      assert.equal(answer.reply.code, code);
      assert.equal(answer.reply.enhanced, '5.5.4');
    });
  }

  test('a parameter of an extension that was not offered is unknown', () => {
    const answer = parseMailParameters('REQUIRETLS', ['SIZE']);
    assert.ok(isProblem(answer) && answer.reply.code === 555);
  });
});

describe('parameters of RCPT TO', () => {
  test('NOTIFY is read in any order and case, ORCPT decoded', () => {
    assert.deepEqual(parseRcptParameters('NOTIFY=Success,DELAY ORCPT=rfc822;a+2Bb@c.example'), {
      notify: ['success', 'delay'],
      orcpt: 'rfc822;a+b@c.example',
    });
    assert.deepEqual(parseRcptParameters(['NOTIFY=NEVER']), { notify: ['never'], orcpt: null });
    assert.deepEqual(parseRcptParameters(''), { notify: null, orcpt: null });
  });
  for (const text of [
    'NOTIFY=NEVER,DELAY',
    'NOTIFY=BOGUS',
    'NOTIFY=',
    'NOTIFY=DELAY,DELAY',
    'ORCPT=a@b.example',
    'ORCPT=rfc822;',
    'ORCPT=rfc822;a+0A',
    `ORCPT=rfc822;${'a'.repeat(500)}`,
    'ORCPT=utf-8;\\x{D800}',
    'NOTIFY=DELAY NOTIFY=DELAY',
  ]) {
    test(`"${text.slice(0, 40)}" is refused`, () => {
      const answer = parseRcptParameters(text);
      assert.ok(isProblem(answer) && answer.reply.code === 501);
    });
  }
});

describe('the offers of a session', () => {
  const session = { isTls: false, takesLogIn: false, messageBytes: 1_000 };
  const always = ['SIZE 1000', '8BITMIME', 'BINARYMIME', 'SMTPUTF8', 'DSN'];
  test('REQUIRETLS is offered under TLS alone (RFC 8689 §4), the others always', () => {
    assert.deepEqual(offeredKeywords(session), always);
    assert.deepEqual([...offeredKeywords({ ...session, isTls: true })].sort(), [...always, 'REQUIRETLS'].sort());
  });
  test('MT-PRIORITY is offered where there is a log-in alone: strangers set no priorities (RFC 6710)', () => {
    assert.ok(!offeredParameters(session).includes('MT-PRIORITY'));
    assert.ok(offeredKeywords({ ...session, takesLogIn: true }).includes('MT-PRIORITY'));
  });
  test('AUTH= is understood where there is a log-in (RFC 4954 §5)', () => {
    assert.ok(!offeredParameters(session).includes('AUTH'));
    assert.ok(offeredParameters({ ...session, takesLogIn: true }).includes('AUTH'));
  });
});

describe('the commands for the next host', () => {
  const envelope = {
    reversePath: 'a@b.example',
    bodyType: '7bit' as const,
    smtpUtf8: false,
    requireTls: false,
    mtPriority: 0,
    dsn: { ret: null, envid: null },
  };
  const dsn = { ret: 'hdrs' as const, envid: 'a b' };
  const all = ['SIZE 2000', '8BITMIME', 'SMTPUTF8', 'REQUIRETLS', 'DSN'];
  const rows: readonly {
    readonly title: string;
    readonly sent: Partial<Parameters<typeof mailCommand>[0]['envelope']>;
    readonly needsUtf8?: boolean;
    readonly offers: readonly string[];
    readonly isTrusted?: boolean;
    readonly expected: string;
  }[] = [
    {
      title: 'a plain message to a host that offers nothing',
      sent: {},
      offers: [],
      expected: 'MAIL FROM:<a@b.example>',
    },
    {
      title: 'its size, to a host with SIZE',
      sent: {},
      offers: ['SIZE'],
      expected: 'MAIL FROM:<a@b.example> SIZE=1000',
    },
    { title: 'SIZE 0, which is no limit', sent: {}, offers: ['SIZE 0'], expected: 'MAIL FROM:<a@b.example> SIZE=1000' },
    { title: 'a host for which it is too big', sent: {}, offers: ['SIZE 999'], expected: '550 5.3.4' },
    {
      title: 'all at once',
      sent: { bodyType: '8bitmime', requireTls: true, dsn },
      needsUtf8: true,
      offers: all,
      isTrusted: true,
      expected: 'MAIL FROM:<a@b.example> SIZE=1000 BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS ENVID=a+20b',
    },
    {
      title: '8-bit and DSN to a host with neither',
      sent: { bodyType: '8bitmime', dsn },
      offers: [],
      expected: 'MAIL FROM:<a@b.example>',
    },
    {
      title: 'one with a priority',
      sent: { mtPriority: -3 },
      offers: ['MT-PRIORITY MIXER'],
      expected: 'MAIL FROM:<a@b.example> MT-PRIORITY=-3',
    },
    {
      title: 'a priority to a host without MT-PRIORITY',
      sent: { mtPriority: 3 },
      offers: [],
      expected: 'MAIL FROM:<a@b.example>',
    },
    { title: 'the usual priority', sent: {}, offers: ['MT-PRIORITY'], expected: 'MAIL FROM:<a@b.example>' },
    { title: 'a binary message', sent: { bodyType: 'binarymime' }, offers: all, expected: '550 5.6.1' },
    { title: 'an international one without SMTPUTF8', sent: {}, needsUtf8: true, offers: [], expected: '550 5.6.7' },
    { title: 'REQUIRETLS without a good certificate', sent: { requireTls: true }, offers: all, expected: '550 5.7.30' },
    {
      title: 'REQUIRETLS to a host without it',
      sent: { requireTls: true },
      offers: [],
      isTrusted: true,
      expected: '550 5.7.30',
    },
  ];
  for (const { title, sent, offers, needsUtf8 = false, isTrusted = false, expected } of rows) {
    test(`MAIL for ${title}: ${expected}`, () => {
      const command = mailCommand(
        { envelope: { ...envelope, ...sent }, bytes: 1_000, needsUtf8 },
        hop(offers, isTrusted),
      );
      assert.equal(typeof command === 'string' ? command : `${command.code} ${command.enhanced}`, expected);
    });
  }
  test('RCPT has NOTIFY and ORCPT where the host speaks DSN (RFC 3461 §4)', () => {
    const recipient: Parameters<typeof rcptCommand>[0] = {
      forwardPath: 'c@d.example',
      dsn: { notify: ['success', 'delay'], orcpt: 'rfc822;x+y@d.example' },
    };
    assert.equal(
      rcptCommand(recipient, hop(['DSN'])),
      'RCPT TO:<c@d.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@d.example',
    );
    assert.equal(rcptCommand(recipient, hop([])), 'RCPT TO:<c@d.example>');
  });
  function hop(offers: readonly string[], isTrusted = false): Parameters<typeof rcptCommand>[1] {
    const entries = offers
      .map((offer) => offer.split(' '))
      .map(([keyword = '', value = '']) => [keyword, value] as const);
    return { capabilities: new Map(entries), isTrusted };
  }
});

describe('xtext', () => {
  test('printable ASCII survives encoding and decoding', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii' }), (text) => assert.equal(decodeXtext(encodeXtext(text)), text)),
    );
  });
  test('an address beyond ASCII is decoded from each of its forms (RFC 6533 §3)', () => {
    for (const value of ['utf-8;ü@b.example', 'UTF-8;\\x{FC}@b.example']) {
      assert.equal(decodeOriginalRecipient(value), 'utf-8;ü@b.example');
    }
    assert.equal(encodeOriginalRecipient('utf-8;ü+x@b.example'), 'utf-8;\\x{FC}\\x{2B}x@b.example');
    assert.equal(decodeOriginalRecipient(encodeOriginalRecipient('utf-8;ü+x@b.example')), 'utf-8;ü+x@b.example');
  });
  test('any text is read or refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        parseMailParameters(text);
        parseRcptParameters(`ORCPT=${text}`);
      }),
      { numRuns: 500 },
    );
  });
});
