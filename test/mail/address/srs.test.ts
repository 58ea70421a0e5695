import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, parseAddress } from '#mail/address/address.ts';
import { srsForward, srsReverse } from '#mail/address/srs.ts';
import { isProblem } from '#mail/problem.ts';

const now = Date.parse('2026-11-21T12:00:00Z');
const day = 86_400_000;
const own = 'fwd.example';

function reverse(text: string, at = now, secret = 'secret') {
  const address = parseAddress(text);
  assert.ok(!isProblem(address), text);
  return srsReverse(address, secret, at);
}

describe('forward and back', () => {
  for (const reversePath of [
    'joe@sender.example',
    'Joe.Doe+x=y@sender.example',
    '"odd one"@sender.example',
    'ü@sender.example',
    'a@[192.0.2.1]',
    '"a@b"@[IPv6:2001:db8::1]',
    `bounces+${'x'.repeat(80)}@em.sender.example`,
  ]) {
    test(`${reversePath.slice(0, 40)} comes back as it was`, () => {
      const forwarded = srsForward(reversePath, own, 'secret', now);
      assert.match(forwarded, /^"?SRS0=[A-Z2-7]{8}=[A-Z2-7]{2}=/);
      assert.deepEqual(reverse(forwarded), { outcome: 'address', reversePath });
    });
  }

  test('any address comes back as it was', () => {
    const part = fc.stringMatching(/^[a-zA-Z0-9!#$%&'*+\-/=?^_`{|}~]{1,30}$/);
    fc.assert(
      fc.property(part, fc.domain(), (localPart, domain) => {
        const address = parseAddress(`${localPart}@${domain}`);
        if (isProblem(address) || domain.length > 100) return;
        const reversePath = formatAddress(address);
        const reversed = reverse(srsForward(reversePath, own, 'secret', now));
        if (!/^SRS[01][=+-]/i.test(localPart)) assert.deepEqual(reversed, { outcome: 'address', reversePath });
      }),
    );
  });
});

test('the null path and paths of our own stay as they are', () => {
  assert.equal(srsForward('', own, 'secret', now), '');
  assert.equal(srsForward('a@fwd.example', own, 'secret', now), 'a@fwd.example');
});

test('an address too long for a path becomes the null path: the mail goes, its bounce does not', () => {
  assert.equal(srsForward(`${'x'.repeat(230)}@sender.example`, own, 'secret', now), '');
});

test('a second forwarder points to the first, and a third to the first as well (SRS1)', () => {
  const first = srsForward('joe@sender.example', 'one.example', 'first', now);
  const second = srsForward(first, 'two.example', 'second', now);
  const third = srsForward(second, 'three.example', 'third', now);
  assert.match(second, /^SRS1=[A-Z2-7]{8}=one\.example==/);
  assert.match(third, /^SRS1=[A-Z2-7]{8}=one\.example==.*@three\.example$/);
  assert.deepEqual(reverse(third, now, 'third'), { outcome: 'address', reversePath: first });
  assert.deepEqual(reverse(first, now, 'first'), { outcome: 'address', reversePath: 'joe@sender.example' });
});

test('the separator of the first forwarder is kept', () => {
  const second = srsForward('SRS0+abc=TT=sender.example=joe@one.example', 'two.example', 'second', now);
  assert.deepEqual(reverse(second, now, 'second'), {
    outcome: 'address',
    reversePath: 'SRS0+abc=TT=sender.example=joe@one.example',
  });
});

test('a host that changes the case of a local part does no harm', () => {
  const forwarded = srsForward('joe@sender.example', own, 'secret', now);
  assert.deepEqual(reverse(forwarded.toLowerCase()), { outcome: 'address', reversePath: 'joe@sender.example' });
});

test('an address is good for 21 days and not before the day it was made', () => {
  const forwarded = srsForward('joe@sender.example', own, 'secret', now);
  assert.equal(reverse(forwarded, now + 21 * day).outcome, 'address');
  assert.deepEqual(reverse(forwarded, now + 22 * day), { outcome: 'refused', reason: 'it has expired' });
  assert.equal(reverse(forwarded, now - day).outcome, 'address');
  assert.equal(reverse(forwarded, now - 2 * day).outcome, 'refused');
});

test('the timestamp survives its turn-over after 1,024 days', () => {
  const turn = 1_024 * day * 21;
  const forwarded = srsForward('joe@sender.example', own, 'secret', turn - day);
  assert.equal(reverse(forwarded, turn + day).outcome, 'address');
});

test('what we did not make is refused', () => {
  const forwarded = srsForward('joe@sender.example', own, 'secret', now);
  const refused = [
    forwarded.replace('joe', 'jim'),
    forwarded.replace('sender', 'other'),
    forwarded.replace(/=(..)=sender/, '=AA=sender'),
    'SRS0=@fwd.example',
    'SRS0=a=b@fwd.example',
    'SRS0=AAAAAAAA=AA==x@fwd.example',
    'SRS1=x=y=z@fwd.example',
    'SRS1=AAAAAAAA=one.example==x@fwd.example',
    'srs0+x@fwd.example',
  ];
  for (const text of refused) assert.equal(reverse(text).outcome, 'refused', text);
  assert.equal(reverse(forwarded, now, 'another').outcome, 'refused');
});

test('names that only look a little like it are names', () => {
  for (const text of ['srs@fwd.example', 'srs0@fwd.example', 'srs02=x@fwd.example', 'SRS2=x@fwd.example']) {
    assert.deepEqual(reverse(text), { outcome: 'not-srs' });
  }
});
