// What a list shows of a message's text, and what a search of all text finds in it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inlineText, summarise } from '#ops/messages/message-summary.ts';
import { sampleMessage } from '#test/support/samples/sample-message.ts';
import { cpuMs } from '#test/support/time/cpu-time.ts';

const previewOf = (html: string) => summarise('key', sampleMessage({ text: null, html })).preview;

for (const [about, html, shown] of [
  [
    'style, script, title and comments are not shown',
    '<!doctype html><html><head><title>T</title><style>body{color:red}</style><script>x()</script></head><body><!--[if mso]><p>W</p><![endif]--><p>Hello</p></body></html>',
    'Hello',
  ],
  ['a style without an end hides what follows', 'Hello<style>b{color:red} World', 'Hello'],
  ['words of different elements stay apart', '<td>One</td><td>Two</td>', 'One Two'],
  [
    'characters by name or number are written',
    'Gr&uuml;&szlig;e &Auml;&nbsp;&#8211; &euro;&amp;lt;',
    'Grüße Ä – €&lt;',
  ],
  ['what pads the beginning of a newsletter is left out', `Sale${'&#847;&zwnj;&nbsp;'.repeat(80)}now`, 'Sale now'],
  ['a joiner within a word stays', 'می&zwnj;خواهم', 'می\u200cخواهم'],
] as const) {
  test(`in a list, ${about}`, () => assert.equal(previewOf(html), shown));
}

test('text is preferred to HTML', () => {
  assert.equal(inlineText({ text: 'plain', html: '<b>rich</b>' }), 'plain');
});

test('no HTML takes long', () => {
  for (const piece of ['<style>', '<!--', '</style', '<', '&', '<a ', '<style>a</styl', '<!-->']) {
    const html = piece.repeat(40_000);
    const used = cpuMs(() => inlineText({ text: null, html }));
    assert.ok(used < 50, `${piece}: ${used} ms`);
  }
});
