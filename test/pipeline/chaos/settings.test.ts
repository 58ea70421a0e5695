// Chaos in pillarbox.json: where it may stand, and what is refused with its path.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { awsProblems } from '#pipeline/config/aws-problems.ts';
import { parseConfig } from '#pipeline/config/parse-config.ts';

const parse = (config: unknown) => parseConfig(JSON.stringify(config), 'pillarbox.json');

test('without a word about it chaos is off; an empty object turns it on, for addresses alone', () => {
  assert.equal(parse({ mode: 'capture' }).chaos, null);
  const { chaos } = parse({ mode: 'capture', chaos: {} });
  assert.deepEqual(Object.values(chaos?.stages ?? {}).flat(), []);
});

test('a configuration that serves is refused with chaos in it, whether it says so or not; so no deployment on AWS can have it', () => {
  for (const mode of [{}, { mode: 'serve' }]) {
    assert.throws(() => parse({ ...mode, chaos: {} }), {
      message:
        'pillarbox.json cannot be used:\n  chaos: it refuses and loses mail on purpose, so it goes with "mode": "capture" alone',
    });
  }
  const problems = awsProblems(parse({ mode: 'capture', chaos: {} }), 'pillarbox');
  assert.ok(problems.some(({ at }) => at === 'mode'));
});

test('what is wrong is told by its path', () => {
  const rcpt = [
    { percent: 60, reply: 451 },
    { percent: 60, drop: true },
  ];
  const data = [{ delaySeconds: 301 }, { reply: 200 }, { reply: 451, drop: true }, {}].map((one) => ({
    percent: 1,
    ...one,
  }));
  assert.throws(() => parse({ mode: 'capture', chaos: { stages: { rcpt, data, dot: [] } } }), {
    message: [
      'pillarbox.json cannot be used:',
      '  chaos.stages.rcpt: the percentages of one stage add up to more than 100',
      '  chaos.stages.data[0].delaySeconds: at most 300 seconds',
      '  chaos.stages.data[1].reply: Too small: expected number to be >=400',
      '  chaos.stages.data[2]: a reply, or "drop": true, not both',
      '  chaos.stages.data[3]: it does nothing: give it a reply, a delaySeconds or "drop": true',
      '  chaos.stages.dot: there is no such setting',
    ].join('\n'),
  });
});
