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
  ['Dear Ann (customer no. 99887766), your PIN is 554433. Valid until 2026-11-27 10:30. Ref 123456789.', '554433'],
  ['Your OTP for INR 4500.00 on the card ending 1234 is 482913', '482913'],
  ['482913 is the OTP for INR 4500 on card XX1234', '482913'],
  ['493027\n\nEnter this code to log in, or write to 1600 Amphitheatre Pkwy, CA 94043', '493027'],
  ['Enter 482913 to verify your address.', '482913'],
  ['Your code is 1999. © 2025 Acme, 94105 San Francisco', '1999'],
  ['Your code:493027', '493027'],
  ['Code=493027', '493027'],
  ['Your code is 7 3 9 2 0 1', '739201'],
  ['Your code is\u00a0482\u2011913', '482913'],
  ['Your code is abc123', 'abc123'],
  ['Enter the code WDJB-MJHT at https://github.com/login/device', 'WDJB-MJHT'],
  ['Your activation code is AB12-CD34-EF56', 'AB12-CD34-EF56'],
  ['Your code is ABCDEF', 'ABCDEF'],
  ['認証コードは381204です', '381204'],
  ['您的验证码是381204，5分钟内有效', '381204'],
  ['Ваш код: 482913', '482913'],
  ['Welcome! Your account number is 48291300. Verification done. Call 5551234.', null],
  ['CODE REVIEW of 2026: READ OUR CODE OF CONDUCT', null],
  ['The code has EXPIRED', null],
] as const) {
  test(`${JSON.stringify(text)}: ${code}`, () => assert.equal(findCode({ subject: null, text, html: null }), code));
}

test('of HTML what is shown counts, not its style', () => {
  const html =
    '<style>.code{color:#123456;width:4000px}</style><p>Your code</p><table><tr><td><b>77&#49;2</b>04</td></tr></table>';
  assert.equal(findCode({ subject: null, text: null, html }), '771204');
});

test('a footer with a year and a postcode is no second code', () => {
  const html =
    '<p>Hi customer 1234,</p><table><tr><td>Your code</td></tr><tr><td><b>739201</b></td></tr><tr><td>&copy; 2026 Acme, 94105 San Francisco</td></tr></table>';
  assert.equal(findCode({ subject: 'Confirm', text: null, html }), '739201');
});

test('what one part leaves in doubt another may say', () => {
  const html = '<p>Code</p><p>482913</p>';
  assert.equal(findCode({ subject: null, text: 'code 12 of 2026: 482913 / 1111 2222 3333', html }), '482913');
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
