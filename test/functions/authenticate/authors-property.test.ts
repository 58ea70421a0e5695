// `pass` says that everybody who is shown as an author is of the judged domain: for any octets in a header, by what the inbox message
// shows and by what Python's email package shows.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { domainToASCII } from 'node:url';
import fc from 'fast-check';
import { judgeMessage } from '#functions/authenticate/judge/judge-message.ts';
import { openMessage } from '#functions/authenticate/judge/open-message.ts';
import { describeHead } from '#functions/parse/header/describe-head.ts';
import { parseDomain } from '#mail/address/address.ts';
import { readHeader } from '#mail/header/read-header.ts';
import { isProblem } from '#mail/problem.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';
import { zoneResolver } from '#test/support/fakes/zone-resolver.ts';
import { hasPeer } from '#test/support/peers/peers.ts';
import { receivedJob } from './run-stage.ts';

const evil = 'x@evil.example';
const resolve = zoneResolver({
  'evil.example': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] },
  '_dmarc.evil.example': { TXT: ['v=DMARC1; p=none'] },
  '_dmarc.victim.example': { TXT: ['v=DMARC1; p=reject'] },
});
const marks = [
  '<',
  '>',
  ',',
  ';',
  ':',
  '"',
  '(',
  ')',
  '[',
  ']',
  '@',
  '.',
  '\\',
  ' ',
  '\t',
  '\r\n ',
  '\r\n\t',
  '=?utf-8?q?',
  '?=',
];
const odd = [
  '\0',
  '\r',
  '\n',
  '\x0b',
  '\x0c',
  '\x7f',
  '\xa0',
  '\xff',
  '\u00ad',
  '\u200b',
  '\u2060',
  '\u3000',
  '\uff20',
  '\u3002',
  '=40',
  '%',
];
const words = [
  'ceo',
  'victim.example',
  'evil.example',
  'ceo@victim.example',
  evil,
  `<${evil}>`,
  `<ceo@victim.example>`,
  'Ann',
];
const lines = [
  'From: ',
  'From : ',
  'from:',
  'From\x0b: ',
  'From',
  'Sender: ',
  'Subject: x',
  ': x',
  'garbage',
  ' ',
  '>From: ',
  'X: y\r\nFrom: ',
];
const value = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...words) },
    { weight: 3, arbitrary: fc.constantFrom(...marks) },
    { weight: 1, arbitrary: fc.constantFrom(...odd) },
  ),
  { maxLength: 8 },
);
const line = fc.tuple(fc.constantFrom(...lines), value).map(([name, parts]) => `${name}${parts.join('')}`);
const header = fc.tuple(value, fc.array(line, { maxLength: 2 }), fc.boolean()).map(([parts, others, isFirst]) => {
  const from = `From: ${parts.join('')}`;
  return [...(isFirst ? [from, ...others] : [...others, from]), '', 'hi', ''].join('\r\n');
});

test('pass means that every shown author has the judged domain', async () => {
  const passed: { readonly message: Buffer; readonly domain: string }[] = [];
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        { weight: 1, arbitrary: header },
        { weight: 3, arbitrary: header.map((text) => text.replace('From: ', `From: ${evil}, `)) },
      ),
      async (text) => {
        const message = Buffer.from(text);
        const { result, domain } = await dmarcOf(message);
        if (result !== 'pass') return;
        passed.push({ message, domain: domain ?? '' });
        const shown = describeHead(readHeader(message)).from.flatMap(({ address }) =>
          address.includes('@') ? domainOf(address) : [],
        );
        assert.ok(shown.length > 0 && shown.every((one) => one === domain), JSON.stringify({ text, shown, domain }));
      },
    ),
    { numRuns: 600 },
  );
  assert.ok(passed.length > 20, `only ${passed.length} passed`);
  if (!hasPeer('python3')) return;
  const input = passed.map(({ message }) => `${message.toString('base64')}\n`).join('');
  const { stdout, stderr } = spawnSync('python3', ['test/support/peers/python-from.py'], { input, encoding: 'utf8' });
  const shown: string[][] = stdout
    .trim()
    .split('\n')
    .map((found) => JSON.parse(found));
  assert.equal(shown.length, passed.length, stderr);
  const wrong = passed.flatMap(({ message, domain }, n) =>
    shown[n]?.every((address) => !isAddress(address) || domainOf(address) === domain)
      ? []
      : [{ message: message.toString(), python: shown[n] }],
  );
  assert.deepEqual(wrong, []);
});

async function dmarcOf(message: Buffer) {
  const job = receivedJob({ message, job: { reversePath: evil } });
  const store = createMemoryStore();
  store.seed(job.raw.key, message);
  const opened = await openMessage(store, job.raw.key);
  const options = { resolve, hostname: 'mx.ours.example', now: new Date('2026-11-21T12:00:01.000Z') };
  return (await judgeMessage(job, opened, options)).dmarc;
}

/** Python calls anything with an @ an address; nobody is taken for an author of a domain that cannot be one. */
function isAddress(text: string): boolean {
  const domain = parseDomain(text.slice(text.lastIndexOf('@') + 1));
  return !isProblem(domain) && domain.includes('.');
}

function domainOf(address: string): string {
  return domainToASCII(address.slice(address.lastIndexOf('@') + 1).replace(/\.$/, ''));
}
