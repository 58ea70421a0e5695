import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, parseAddress } from '#mail/address/address.ts';
import { forwardPathProblem, readPath } from '#mail/address/path.ts';
import { isProblem } from '#mail/problem.ts';
import { cpuMs } from '#test/support/time/cpu-time.ts';

/** A path with nothing behind it. */
function parsePath(text: string) {
  const read = readPath(text);
  if (isProblem(read)) return read;
  return read.rest === '' ? read.path : { problem: 'something follows the path' };
}

describe('a path', () => {
  const paths = [
    { text: '<a@b.example>', address: 'a@b.example' },
    { text: '<@x.example,@y.example:a@b.example>', address: 'a@b.example' },
    { text: '<@[IPv6:2001:db8::1]:a@[IPv6:2001:db8::2]>', address: 'a@[IPv6:2001:db8::2]' },
    { text: '<"a>b"@c.example>', address: '"a>b"@c.example' },
    { text: '<"a\\"> b"@c.example>', address: '"a\\"> b"@c.example' },
  ];
  for (const { text, address } of paths) {
    test(`${text} leads to ${address}`, () => {
      const path = parsePath(text);
      assert.ok(!isProblem(path) && path.kind === 'address');
      assert.equal(formatAddress(path.address), address);
    });
  }

  test('<> is the null path, and <postmaster> needs no domain (RFC 5321 §4.1.1.3)', () => {
    assert.deepEqual(parsePath('<>'), { kind: 'null' });
    assert.deepEqual(parsePath('<PostMaster>'), { kind: 'postmaster' });
  });

  const broken = [
    '',
    '<',
    '>',
    'a@b.example',
    '<a@b.example',
    '<a>',
    '< a@b.example>',
    '<a@b.example>x',
    '<@b.example>',
    '<@b.example:>',
    `<${'@b.example,'.repeat(200)}@b.example:a@c.example>`,
    '<@b.example:@c.example:a@d.example>',
    '<b.example:a@d.example>',
    '<@b..example:a@d.example>',
    '<"a@b.example>',
    `<@${'a'.repeat(2_000)}:a@b.example>`,
    '<<a@b.example>>',
    '<a@b.example> SIZE=1',
    '< >',
    '<@a,b:c@d.example>',
  ];
  for (const text of broken) {
    test(`${JSON.stringify(text.slice(0, 50))} is no path`, () => assert.ok(isProblem(parsePath(text))));
  }
});

test('what follows a path are its parameters, brackets within quotes are not its end', () => {
  assert.deepEqual(readPath('<"> SIZE=1"@b.example>  BODY=8BITMIME SIZE=2 '), {
    path: { kind: 'address', address: { localPart: '> SIZE=1', domain: 'b.example' } },
    rest: 'BODY=8BITMIME SIZE=2',
  });
  assert.ok(isProblem(readPath('<a@b.example>SIZE=1')));
  assert.deepEqual(readPath(' <>'), { path: { kind: 'null' }, rest: '' });
});

test('a recipient has at most 64 octets before the @, unless it is an SRS address', () => {
  const problemOf = (text: string) => {
    const address = parseAddress(text);
    assert.ok(!isProblem(address));
    return forwardPathProblem(address);
  };
  assert.equal(problemOf(`${'a'.repeat(64)}@b.example`), null);
  assert.ok(isProblem(problemOf(`${'a'.repeat(65)}@b.example`)));
  assert.ok(isProblem(problemOf(`${'ü'.repeat(33)}@b.example`)));
  assert.equal(problemOf(`SRS0=${'a'.repeat(90)}@b.example`), null);
  // U+1D160 is three times as long in NFC: as a key of the store it would be too long.
  assert.ok(isProblem(problemOf(`SRS0=${'\u{1d160}'.repeat(50)}@b.example`)));
});

test('any text gives a path or a problem, in linear time', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => void readPath(`<${text}`)),
    { numRuns: 500 },
  );
  const ms = cpuMs(() => {
    for (const unit of ['<', '"', '@a,', ' ', '\\']) readPath(`<${unit.repeat(1_000_000)}>`);
  });
  assert.ok(ms < 1_500, String(ms));
});
