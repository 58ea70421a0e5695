// What is remembered of zones that do not answer, told by a clock that the test sets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DnsErrorCode } from '#pipeline/dns/answer.ts';
import { createDnsBreaker } from '#pipeline/dns/breaker.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';

function breakerAt() {
  const clock = setClock();
  let opened = 0;
  const breaker = createDnsBreaker({ clock, onOpened: () => (opened += 1) });
  /** Asks a question that ends so, while the resolver answers others (or nobody, where it is `silent`). */
  const ask = (name: string, code: DnsErrorCode | null, silent = false): void => {
    const askedAtMs = clock();
    clock.advance(1);
    if (!silent) breaker.note({ name: 'alive.example', type: 'TXT', code: null, askedAtMs });
    breaker.note({ name, type: 'TXT', code, askedAtMs });
  };
  return { clock, ask, refusal: (name: string, type = 'TXT') => breaker.refusal(name, type), opened: () => opened };
}

test('a question that failed twice in a row is refused for some seconds, with the failure it had', () => {
  const { ask, refusal, clock } = breakerAt();
  ask('s1._domainkey.slow.example', 'ETIMEOUT');
  assert.equal(refusal('s1._domainkey.slow.example'), null, 'once is chance');
  ask('s1._domainkey.slow.example', 'ETIMEOUT');
  assert.equal(refusal('s1._domainkey.slow.example'), 'ETIMEOUT');
  assert.equal(refusal('S1._domainkey.SLOW.example.'), 'ETIMEOUT', 'whatever the case');
  assert.equal(refusal('s1._domainkey.slow.example', 'CNAME'), null, 'another type is another question');
  clock.advance(5_000);
  assert.equal(refusal('s1._domainkey.slow.example'), null);
});

test('a zone of which three questions failed and none was answered is refused as a whole, its neighbours are not', () => {
  const { ask, refusal, opened } = breakerAt();
  for (const name of ['dead.example', '_dmarc.dead.example', 's1._domainkey.dead.example']) ask(name, 'ETIMEOUT');
  assert.equal(refusal('s2._domainkey.dead.example'), 'ETIMEOUT', 'never asked, and of the same zone');
  assert.equal(refusal('other.example'), null);
  assert.equal(refusal('example'), null);
  assert.equal(opened(), 1);
});

test('a zone that answers anything at all, "no such name" too, is not dead: only the question that hangs is refused', () => {
  const { ask, refusal } = breakerAt();
  for (let n = 0; n < 5; n += 1) {
    ask('key._domainkey.half.example', 'ETIMEOUT');
    ask('_dmarc.half.example', n % 2 === 0 ? null : 'ENOTFOUND');
  }
  assert.equal(refusal('key._domainkey.half.example'), 'ETIMEOUT');
  assert.equal(refusal('half.example'), null);
});

test('when its time is over one question goes through, the others wait for what comes of it; the time grows to a minute', () => {
  const { ask, refusal, clock, opened } = breakerAt();
  for (let n = 0; n < 3; n += 1) ask(`n${n}._x.dead.example`, 'ETIMEOUT');
  for (const seconds of [5, 10, 20, 40, 60, 60]) {
    clock.advance(seconds * 1_000 - 10);
    assert.equal(refusal('dead.example'), 'ETIMEOUT', `${seconds} s`);
    clock.advance(11);
    assert.equal(refusal('dead.example'), null, 'the probe');
    assert.equal(refusal('a._x.dead.example'), 'ETIMEOUT', 'nobody but the probe');
    clock.advance(60_001);
    ask('dead.example', 'ETIMEOUT');
  }
  assert.equal(opened(), 2, 'the zone, and at last the question itself: each opened once, however often it was tried');
});

test('an answer closes the breaker at once', () => {
  const { ask, refusal } = breakerAt();
  for (let n = 0; n < 4; n += 1) ask(`n${n}._x.dead.example`, 'ESERVFAIL');
  assert.equal(refusal('dead.example'), 'ESERVFAIL');
  ask('dead.example', null);
  assert.equal(refusal('n9._x.dead.example'), null);
});

test('questions that were under way together and fail together count as one failure', () => {
  const { ask, refusal, clock } = breakerAt();
  for (let n = 0; n < 500; n += 1) ask('dead.example', 'ETIMEOUT');
  clock.advance(5_000);
  assert.equal(refusal('dead.example'), null);
});

test('while our own resolver answers nobody, nothing is laid to the zones', () => {
  const { ask, refusal, opened } = breakerAt();
  for (let n = 0; n < 50; n += 1) ask(`s${n % 5}.example`, 'ETIMEOUT', true);
  assert.equal(refusal('s1.example'), null);
  assert.equal(opened(), 0);
});
