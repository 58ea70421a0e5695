// Whom a message is from where its From field can be read in two ways: a forger must not have one author judged and another
// one shown. In all of these `bank.example` may be shown by somebody, and it asks for p=reject; only evil.example is vouched for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeHead } from '#functions/parse/header/describe-head.ts';
import { readHeader } from '#mail/header/read-header.ts';
import { runStage } from './run-stage.ts';

const zone = {
  'evil.example': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] },
  '_dmarc.evil.example': { TXT: ['v=DMARC1; p=none'] },
  '_dmarc.bank.example': { TXT: ['v=DMARC1; p=reject'] },
};

const forged = [
  'Ann <b@evil.example> <a@bank.example>',
  'Ann <a@bank.example> <b@evil.example>',
  'b@evil.example a@bank.example',
  'a@bank.example b@evil.example',
  'Ann <b@evil.example, a@bank.example>',
  'a@bank.example:b@evil.example;',
  '"Ann <a@bank.example>" b@evil.example',
  '<b@evil.example> a@bank.example',
  'b@evil.example@bank.example',
  'b@evil.example;a@bank.example',
  'G: b@evil.example;, a@bank.example',
  'a @ bank . example',
  '<<a@bank.example>>',
  '<@evil.example:a@bank.example>',
  '"b@evil.example"@bank.example',
  'b@evil.example <a@bank.example>',
  'a@bank.example <b@evil.example>', // Python's email package reads the first of the two
];
for (const from of forged) {
  test(`From: ${from} is quarantined`, async () => {
    const message = `From: ${from}\r\nSubject: x\r\n\r\nhi\r\n`;
    const { jobs } = await runStage({ message, zone, job: { reversePath: 'b@evil.example' } });
    const [job] = jobs.of('parse');
    assert.equal(job?.disposition.action, 'quarantine', JSON.stringify(job?.authentication.dmarc));
    assert.notEqual(job?.authentication.dmarc.result, 'pass');
  });
}

const honest = [
  'Ann <b@evil.example>',
  '"a@bank.example" <b@evil.example>',
  'b@evil.example (a@bank.example)',
  '<@bank.example:b@evil.example>',
  'Ann < b @ evil . example >',
  'b @ evil.example',
];
for (const from of honest) {
  test(`From: ${from} is by evil.example, for DMARC and in the list`, async () => {
    const message = `From: ${from}\r\nSubject: x\r\n\r\nhi\r\n`;
    const { jobs } = await runStage({ message, zone, job: { reversePath: 'b@evil.example' } });
    const [job] = jobs.of('parse');
    const { result, domain } = job?.authentication.dmarc ?? {};
    assert.deepEqual({ result, domain }, { result: 'pass', domain: 'evil.example' });
    assert.deepEqual(
      describeHead(readHeader(Buffer.from(message))).from.map(({ address }) => address),
      ['b@evil.example'],
    );
  });
}
