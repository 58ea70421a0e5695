import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findLinks } from '#ops/content/find-links.ts';

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
