// Links of HTML mail: where a click may lead, and what it tells.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rewriteLinks } from '#ops/content/html-links.ts';
import { stopwatch } from '#test/support/time/stopwatch.ts';

const ask = (address: string) => `"/#/leave?to=${encodeURIComponent(address)}"`;
const apart = 'target="_blank" rel="noopener noreferrer"';

const cases: readonly { title: string; html: string; shown: string }[] = [
  {
    title: 'a link opens in a new tab, which says where it leads first',
    html: '<a href="https://b.example/">x</a>',
    shown: `<a href=${ask('https://b.example/')} ${apart}>x</a>`,
  },
  {
    title: 'what the sender says of tabs is dropped',
    html: `<A HREF='http://b.example/' target=_top rel="opener" ping=/p class=c>`,
    shown: `<a href=${ask('http://b.example/')} class=c ${apart}>`,
  },
  {
    title: 'its address is that which a browser reads in the attribute',
    html: '<a href="https://b.example/?a=1&amp;num=2&num=3&#x26;q=%20&ampx=&lt;">x',
    shown: `<a href=${ask('https://b.example/?a=1&num=2&num=3&q=%20&ampx=<')} ${apart}>x`,
  },
  {
    title: 'an address to write to is a link',
    html: '<area href= mailto:a@b.example>',
    shown: `<area href=${ask('mailto:a@b.example')} ${apart}>`,
  },
  {
    title: 'a link within the message stays in its frame',
    html: '<a href="#end">',
    shown: '<a href="#end" rel="noopener noreferrer">',
  },
  { title: 'a script is no link', html: '<a href="javascript:alert(1)">x', shown: `<a ${apart}>x` },
  {
    title: 'a script in disguise is no link',
    html: '<a href="&#106;avascript:1"><a href=" java\nscript:1"><a href=data:text/html,x>',
    shown: `<a ${apart}>`.repeat(3),
  },
  {
    title: 'a page of ours is no link',
    html: '<a href="/api/queues"><a href=//b.example>',
    shown: `<a ${apart}>`.repeat(2),
  },
  {
    title: 'only one of two addresses counts, both are looked at',
    html: '<a href="http://b.example/" href="javascript:1">',
    shown: `<a href=${ask('http://b.example/')} ${apart}>`,
  },
  {
    title: 'a base and links to other files go',
    html: '<base href="http://b.example/" target=_self><link rel=preconnect href="http://b.example">x',
    shown: 'x',
  },
  {
    title: 'pages within the message are empty, so that no browser connects to their host',
    html: '<IFRAME width=3 src="http://b.example/"><a href=x></iframe><object data=http://b.example/><embed/src=x>',
    shown: '<iframe width=3><a href=x></iframe><object><embed>',
  },
  {
    title: 'a > in a value does not end the tag',
    html: `<a title="a > b" href='http://b.example/?q=">"'>`,
    shown: `<a title="a > b" href=${ask('http://b.example/?q=">"')} ${apart}>`,
  },
  {
    title: 'comments and texts have no tags',
    html: '<!-- <a href=x> --><style>a:after{content:"<a href=y>"}</style><title><a></title>',
    shown: '<!-- <a href=x> --><style>a:after{content:"<a href=y>"}</style><title><a></title>',
  },
  { title: 'a comment ends where browsers end it', html: '<!--><a href="javascript:1">', shown: `<!--><a ${apart}>` },
  {
    title: 'behind an end tag with attributes tags go on',
    html: '</p title="<a href=x>"><a href=x>',
    shown: `</p title="<a href=x>"><a ${apart}>`,
  },
  { title: 'a stray < is text', html: '1 < 2 <a href=x> <', shown: `1 < 2 <a ${apart}> <` },
  {
    title: 'a tag without an end stays as it is',
    html: 'x <a href="http://b.example/',
    shown: 'x <a href="http://b.example/',
  },
  {
    title: 'other elements that begin with a stay',
    html: '<abbr href=x><article target=y>',
    shown: '<abbr href=x><article target=y>',
  },
];

for (const { title, html, shown } of cases) {
  test(title, () => assert.equal(rewriteLinks(html, 'ask'), shown));
}

test('HTML takes time by its length alone, whatever is in it', () => {
  for (const piece of ['<a "', '<a href="x', '<!--', '</a ', '<title>', '<a href=x ', '<a =', '<']) {
    const took = stopwatch();
    rewriteLinks(piece.repeat(100_000), 'ask');
    assert.ok(took() < 1_000, `${piece}: ${took()} ms`);
  }
});
