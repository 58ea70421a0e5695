import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findLinks, labelledLinks } from '#ops/content/find-links.ts';

test('the links of HTML in order, then those that only the text has, each once', () => {
  const html = `<!-- <a href="https://comment.example/"> --><a href='https://a.example/?x=1&amp;y=2'>A</a>
    <A HREF=https://b.example/b>B</A> <a href="mailto:x@a.example">mail</a> <img src="https://img.example/">
    <area href="HTTPS://c.example"> <a href="https://a.example/?x=1&#38;y=2">again</a> <a href="javascript:1">no</a>`;
  const text = 'See https://b.example/b, (https://d.example/a_(b)) or <http://e.example/>. "https://f.example/x?y=1"!';
  assert.deepEqual(findLinks({ text, html }), [
    'https://a.example/?x=1&y=2',
    'https://b.example/b',
    'HTTPS://c.example',
    'https://d.example/a_(b)',
    'http://e.example/',
    'https://f.example/x?y=1',
  ]);
});

test('a message without links has none', () => {
  assert.deepEqual(findLinks({ text: 'http:// and www.a.example', html: null }), []);
});

test('each link has what a reader sees of it', () => {
  const html = `<a href="https://a.example/"><b>Confirm</b>
      your&nbsp;address</a> <a href="https://b.example/"><img alt="Our &amp; logo" src="x"></a>
    <a href="https://c.example/">open <a href="https://d.example/">next</a> not this
    <a href="https://a.example/">again</a> <a name="x">anchor</a> <area href="https://e.example/" alt="Map">
    <a href="https://f.example/">to the end`;
  assert.deepEqual(
    labelledLinks({ text: 'https://g.example/', html }).map(({ address, label }) => [address.slice(8, 9), label]),
    [
      ['a', 'Confirm your address'],
      ['b', 'Our & logo'],
      ['c', 'open'],
      ['d', 'next'],
      ['e', 'Map'],
      ['f', 'to the end'],
      ['g', ''],
    ],
  );
});

test('hostile text and HTML take no time', () => {
  const started = performance.now();
  for (const piece of [')', '.', '(', '('.repeat(9).concat(')'), 'https://']) {
    findLinks({ text: `https://a.example/${piece.repeat(200_000)}`, html: null });
  }
  for (const piece of ['<a href="https://a.example/">', '<a href=https://a.example/', '<img alt=">', '</a', '<a>x']) {
    labelledLinks({ text: null, html: piece.repeat(50_000) });
  }
  assert.ok(performance.now() - started < 15_000, `${performance.now() - started} ms`);
});
