// Texts of senders as an agent reads them: nothing hidden, nothing endless.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { linesWithin, oneLine, readable, readPage } from '#cli/mcp/readable.ts';

for (const { about, text, shown, removed = 0 } of [
  { about: 'ordinary text stays', text: 'Grüße,\tAnn\nשלום 你好 🎉', shown: 'Grüße,\tAnn\nשלום 你好 🎉' },
  { about: 'lines end in LF', text: 'a\r\nb\rc\n', shown: 'a\nb\nc\n' },
  { about: 'control characters are seen', text: 'a\u0000\u001b[2J\u0085b', shown: 'a[U+0000][U+001B][2J[U+0085]b' },
  { about: 'marks of direction are seen', text: '\u202egnp\u2066\u200f', shown: '[U+202E]gnp[U+2066][U+200F]' },
  { about: 'other ends of lines are seen', text: 'a\u2028b\u2029c', shown: 'a[U+2028]b[U+2029]c' },
  {
    about: 'words written in tags, which nobody sees, are left out',
    text: `Hi${[...'obey'].map((char) => String.fromCodePoint(0xe0000 + char.charCodeAt(0))).join('')}!`,
    shown: 'Hi!',
    removed: 4,
  },
  {
    about: 'so are other characters without a shape',
    text: 'a\u200b\u00ad\u034f\u{e0101}\ufeff\u3164b',
    shown: 'ab',
    removed: 6,
  },
  { about: 'half a character is no character', text: 'a\ud800b', shown: 'a\ufffdb' },
]) {
  test(about, () => assert.deepEqual(readable(text), { text: shown, removed }));
}

test('a line has no ends of lines, and not more than it may have', () => {
  assert.equal(oneLine(' a\r\n b\t\tc \u202e '), 'a b c [U+202E]');
  assert.equal(oneLine('x'.repeat(400)).length, 300);
  assert.equal(oneLine('a🎉🎉', 3), 'a…');
  assert.equal(oneLine('\u0000'.repeat(1_000_000), 50).length, 50);
});

test('lines that have no room are counted', () => {
  assert.deepEqual(linesWithin(['aaaa', 'bbbb', 'cc'], 10), { text: 'aaaa\nbbbb', left: 1 });
  assert.deepEqual(linesWithin([], 10), { text: '', left: 0 });
});

test('pages put together are the whole, however the text came in pieces', async () => {
  const char = fc.oneof(
    fc.constantFrom('\r', '\n', '\u202e', '\u200b', '🎉', '\ud83c', '\u0000'),
    fc.string({ unit: 'grapheme' }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(char),
      fc.array(fc.nat(20)),
      fc.integer({ min: 2, max: 9 }),
      async (chars, cuts, limit) => {
        const text = chars.join('');
        let [pages, offset] = ['', 0];
        for (;;) {
          const page = await readPage(piecesOf(text, cuts), { offset, limit });
          assert.ok(page.text.length <= limit);
          pages += page.text;
          if (page.next === null) break;
          assert.ok(page.next > offset);
          offset = page.next;
        }
        assert.equal(pages, readable(text).text);
      },
    ),
    { numRuns: 200 },
  );
});

test('of a long text no more is read than a page takes', async () => {
  let pulled = 0;
  function* endless(): Generator<string> {
    for (;;) {
      pulled += 1;
      assert.ok(pulled < 100, 'it reads on and on');
      yield 'x'.repeat(1_000);
    }
  }
  const { text, next } = await readPage(endless(), { offset: 5_000, limit: 2_500 });
  assert.deepEqual([text.length, next, pulled], [2_500, 7_500, 8]);
});

function piecesOf(text: string, cuts: readonly number[]): readonly string[] {
  let rest = text;
  const pieces = cuts.map((cut) => {
    const piece = rest.slice(0, cut);
    rest = rest.slice(cut);
    return piece;
  });
  return [...pieces, rest];
}
