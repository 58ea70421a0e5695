// The table of stages: what it must say so that nothing waits on a queue that nobody reads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configKey } from '#pipeline/contract/keys.ts';
import { lanesOf, listenerAccess, queueNames, stageNames, stages } from '#pipeline/contract/stages.ts';

const lanes = Object.values(stages).flatMap(lanesOf);

test('every queue is read by just one lane of a stage', () => {
  assert.deepEqual(lanes.map(({ consumes }) => consumes).sort(), [...queueNames].sort());
  assert.deepEqual(Object.keys(stages), stageNames);
});

test('a stage may send to the queues it reads: jobs that wait for a fault of ours go back there', () => {
  for (const stage of Object.values(stages)) {
    for (const { consumes } of lanesOf(stage)) assert.ok(stage.sends.includes(consumes), consumes);
  }
});

test('a stage reads the configuration, and may tell the sender of a dead letter', () => {
  for (const { name, reads, sends } of Object.values(stages)) {
    assert.ok(reads.includes(configKey));
    // A message that a hook was not told of is stored: its sender has nothing to hear.
    assert.equal(sends.includes(stages.deliver.consumes), name !== 'notify', name);
  }
  assert.ok(listenerAccess.sends.includes(stages.authenticate.consumes));
});
