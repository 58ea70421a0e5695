import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isProblem } from '#mail/problem.ts';
import { parseMailParameters, parseRcptParameters } from '#mail/smtp/esmtp-parameters.ts';
import { decodeOriginalRecipient, decodeXtext, encodeOriginalRecipient, encodeXtext } from '#mail/smtp/xtext.ts';

const none = { size: null, bodyType: '7bit', smtpUtf8: false, requireTls: false, ret: null, envid: null, auth: null };

describe('parameters of MAIL FROM', () => {
  const rows = [
    { text: '', expected: {} },
    { text: 'SIZE=1000 BODY=8BITMIME', expected: { size: 1_000, bodyType: '8bitmime' } },
    { text: 'size=0 body=BinaryMime', expected: { size: 0, bodyType: 'binarymime' } },
    { text: 'SIZE=99999999999999999999', expected: { size: Number.MAX_SAFE_INTEGER } },
    { text: 'SMTPUTF8 REQUIRETLS', expected: { smtpUtf8: true, requireTls: true } },
    { text: 'RET=FULL ENVID=QQ314159', expected: { ret: 'full', envid: 'QQ314159' } },
    { text: 'RET=hdrs ENVID=a+20b+3Dc', expected: { ret: 'hdrs', envid: 'a b=c' } },
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
