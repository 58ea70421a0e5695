// Messages of the corpus, broken at random (the same way every time): each is still stored, in good time.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createParser } from '#functions/parse/worker/parser.ts';
import { corpus } from '#test/support/samples/corpus.ts';
import { amount } from '#test/support/time/soak.ts';
import { parsed } from './parse-job.ts';

const parser = createParser();
after(() => parser.close());

const rounds = amount(300, 20_000);
const splices = [
  '--b\r\n',
  '--b--\r\n',
  '\r\n\r\n',
  ':',
  ';',
  '"',
  '=?utf-8?B?',
  '?=',
  '<',
  '(',
  '\0',
  '\r',
  '\n',
  '\xff',
  'boundary=',
  'Content-Type: ',
  '=',
  '%',
];

test(`${rounds} broken messages are all stored, without the parser failing`, async () => {
  const small = corpus().filter(({ bytes }) => bytes.length < 20_000);
  let state = 20_261_121;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let round = 0; round < rounds; round += 1) {
    const { name, bytes } = small[random(small.length)]!;
    let broken = Buffer.from(bytes);
    for (let n = random(6) + 1; n > 0; n -= 1) {
      const at = random(broken.length + 1);
      const cut = random(3) === 0 ? random(40) : 0;
      const splice = Buffer.from(splices[random(splices.length)]!.repeat(random(3)), 'latin1');
      broken = Buffer.concat([broken.subarray(0, at), splice, broken.subarray(at + cut)]);
    }
    const { message } = await parsed(parser, Buffer.concat([Buffer.from('Received: x\r\n'), broken]));
    const codes = message.problems.map(({ code }) => code);
    assert.deepEqual(
      codes.filter((code) => code.startsWith('parse-')),
      [],
      `${name}, round ${round}: ${JSON.stringify(message.problems)}`,
    );
  }
});
