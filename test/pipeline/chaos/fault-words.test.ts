// Faults in words: what an address asks for, what a setting says, and what neither says.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isProblem } from '#mail/problem.ts';
import { askedFault, formatChaos, parseChaos } from '#pipeline/chaos/fault-words.ts';
import { chaosSchema } from '#pipeline/chaos/settings.ts';

const nothing = { delaySeconds: 0, reply: null, enhanced: null, drop: false, stage: 'rcpt', times: null };

describe('an address asks for a fault by its local part', () => {
  for (const [localPart, asked] of [
    ['bounce', { reply: 550 }],
    ['bounce-552', { reply: 552 }],
    ['Bounce-550', { reply: 550 }],
    ['later', { reply: 451 }],
    ['later-451-twice', { reply: 451, times: 2 }],
    ['later-452-5x', { reply: 452, times: 5 }],
    ['later-451-once+run7', { reply: 451, times: 1 }],
    ['slow', { delaySeconds: 10 }],
    ['slow-300s', { delaySeconds: 300 }],
    ['slow-500ms-451', { delaySeconds: 0.5, reply: 451 }],
    ['drop', { drop: true }],
    ['drop-5s', { drop: true, delaySeconds: 5 }],
    ['drop-data', { drop: true, stage: 'data' }],
    ['data-552', { reply: 552, stage: 'data' }],
    ['bounce-552-5.2.2-end', { reply: 552, enhanced: '5.2.2', stage: 'end' }],
    ['mail-451', { reply: 451, stage: 'mail' }],
  ] as const) {
    test(localPart, () => assert.deepEqual(askedFault(localPart), { ...nothing, ...asked }));
  }
});

describe('an address that only looks like it asks for nothing', () => {
  for (const localPart of [
    'ann',
    'bouncer',
    'drop-box',
    'data',
    'end',
    'later.on',
    '550',
    '451-later',
    'slow-301s',
    'bounce-250',
    'bounce-451',
    'later-550',
    'bounce-550-4.2.2',
    'drop-451',
    'drop-drop',
    'rcpt-data-451',
    'later-0x',
    'later-10%',
    'bounce-',
    '',
  ]) {
    test(JSON.stringify(localPart), () => assert.equal(askedFault(localPart), null));
  }
});

describe('settings in words', () => {
  for (const [text, same] of [
    ['on', 'on'],
    ['', 'on'],
    ['rcpt-451-10%', 'rcpt-451-10%'],
    ['later', 'rcpt-451-100%'],
    ['451-10%-rcpt, drop-connect-5%  seed-7', 'drop-connect-5% rcpt-451-10% seed-7'],
    ['slow-5s-data-20% slow-250ms-end-450-4.2.1-1.5%', 'slow-5s-data-20% slow-250ms-end-450-4.2.1-1.5%'],
    ['drop-3s-end-50%', 'drop-3s-end-50%'],
    ['rcpt-451-10% rcpt-550-10%', 'rcpt-451-10% rcpt-550-10%'],
  ] as const) {
    test(`"${text}" is ${same}, and that is read as the same`, () => {
      const settings = parseChaos(text);
      assert.ok(!isProblem(settings));
      assert.equal(formatChaos(settings), same);
      assert.deepEqual(parseChaos(same), settings);
    });
  }

  for (const [text, why] of [
    ['rcpt', /does nothing/],
    ['slow-301s', /rcpt: at most 300 seconds/],
    ['rcpt-451-101%', /a chance from 0 to 100/],
    ['rcpt-451-60% rcpt-452-60%', /rcpt: the percentages of one stage add up to more than 100/],
    ['rcpt-451-drop', /a reply, or "drop": true, not both/],
    ['rcpt-550-4.2.2', /same class/],
    ['bounce-451', /bounce goes with a code from 500/],
    ['later-451-twice', /how often goes with addresses/],
    ['rcpt-451-452', /"452" says a second time/],
    ['rcpt-4511', /"4511" is none of/],
    ['seed-x', /"seed" is none of/],
  ] as const) {
    test(`"${text}" is refused with what was expected`, () => {
      const read = parseChaos(text);
      assert.ok(isProblem(read));
      assert.match(read.problem, why);
    });
  }

  test('the settings of a file are the same as those in words, defaults filled in', () => {
    const file = { stages: { rcpt: [{ percent: 10, reply: 451 }], connect: [{ drop: true }] }, seed: 7 };
    assert.deepEqual(chaosSchema.parse(file), parseChaos('rcpt-451-10% drop-connect seed-7'));
  });
});
