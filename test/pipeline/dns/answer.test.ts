import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyAnswer } from '#pipeline/dns/answer.ts';

const answers = [
  { what: 'addresses', answer: ['192.0.2.1', '192.0.2.2'] },
  { what: 'texts in pieces', answer: [['v=spf1 ', '-all'], ['other']] },
  { what: 'hosts', answer: [{ exchange: 'mx.example', priority: 10 }] },
  { what: 'bytes', answer: [{ match: 1, data: new Uint8Array([1, 2]).buffer }] },
  { what: 'one record', answer: { nsname: 'ns.example', serial: 1 } },
];

for (const { what, answer } of answers) {
  test(`a copy of ${what} is equal and shares nothing that can change`, () => {
    const copy = copyAnswer(answer);
    assert.deepEqual(copy, answer);
    assert.notEqual(copy, answer);
    if (!Array.isArray(copy) || !Array.isArray(answer)) return;
    for (const [n, record] of copy.entries()) if (typeof record === 'object') assert.notEqual(record, answer[n]);
  });
}
