// One-time codes as sign-up mail has them, and numbers that are none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCode } from '#ops/content/find-code.ts';

for (const [text, code] of [
  ['Your code is 123456.', '123456'],
  ['Your verification code: 4821', '4821'],
  ['123456 is your login code', '123456'],
  ['Enter this code to sign in:\n\n   90210377\n\nIt expires in 10 minutes.', '90210377'],
  ['Use OTP 739 201 to pay $1200 to shop 4411.', '739201'],
  ['Your one-time password is 739-201', '739201'],
  ['PIN: 0042', '0042'],
  ['G-482913 is your Google verification code.', 'G-482913'],
  ['Confirmation code\nX7K9QP\nIf it was not you, call 555 0199.', 'X7K9QP'],
  ['Your code: ABCD-1234', 'ABCD-1234'],
  ['Ihr Bestätigungscode lautet 583920', '583920'],
  ['Tu código de verificación es 583920', '583920'],
  ['您的验证码是 583920，请勿泄露。', '583920'],
  [
    'Your code is 123456. Never share it. Order 998877 from 2026 ships soon, see https://a.example/code/777777',
    '123456',
  ],
  ['The code is 123456\n\nAgain, the code is 123456', '123456'],
  ['Reset your password: https://a.example/reset?code=123456', null],
  ['Your order 123456 has shipped.', null],
  ['Save with promo code SAVE2026 until 2026-11-30', null],
  ['Error code 50012 was returned', null],
  ['ZIP code 90210', null],
  ['Your code is 123456 or 654321', null],
  ['The code costs €4500', null],
  ['Call +49 30 123456 for your code', null],
  ['Version 1.2345 of the code is out', null],
  ['Our source code is open since 2019', null],
  ['WELCOME to the CODE', null],
  ['', null],
] as const) {
  test(`${JSON.stringify(text)}: ${code}`, () => assert.equal(findCode({ subject: null, text, html: null }), code));
}

test('of HTML what is shown counts, not its style', () => {
  const html =
    '<style>.code{color:#123456;width:4000px}</style><p>Your code</p><table><tr><td><b>77&#49;2</b>04</td></tr></table>';
  assert.equal(findCode({ subject: null, text: null, html }), '771204');
});

test('the subject counts if nothing is in the text', () => {
  assert.equal(findCode({ subject: '1234 is your code', text: 'Hello', html: null }), '1234');
});

test('hostile text takes no time', () => {
  const started = performance.now();
  for (const piece of ['<style', 'code 1234-', '&#49;', 'code code ', '12 34 ', '<b ', 'https://']) {
    findCode({ subject: null, text: piece.repeat(50_000), html: piece.repeat(50_000) });
  }
  assert.ok(performance.now() - started < 15_000, `${performance.now() - started} ms`);
});
