import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEventBus } from '#pipeline/aws/event-bus.ts';
import { type MailEvent, mailEventOf } from '#pipeline/contract/mail-event.ts';
import { sampleMessage } from '#test/support/samples/sample-message.ts';

const event = (n: number): MailEvent =>
  mailEventOf(
    sampleMessage(),
    `inbox/a.example/ann/2026/11/21/01KAJ5Q8M0AAAAAAAAAAAAAA${String(n).padStart(2, '0')}.json`,
  );

/** EventBridge that refuses the entries whose key `refuses` says, by the number of the call. */
function bus(refuses: (key: string, call: number) => boolean) {
  const calls: any[][] = [];
  const client: any = {
    send: async ({ input }: any) => {
      calls.push(input.Entries);
      return {
        FailedEntryCount: 0,
        Entries: input.Entries.map(({ Detail }: any) =>
          refuses(JSON.parse(Detail).key, calls.length) ? { ErrorCode: 'ThrottlingException' } : { EventId: 'e' },
        ),
      };
    },
  };
  return { calls, announce: createEventBus({ client, bus: 'default', bucket: 'the-bucket' }) };
}

test('events that come together leave ten in a call, with source, type, time and the bucket', async () => {
  const { calls, announce } = bus(() => false);
  await Promise.all(Array.from({ length: 12 }, (_, n) => announce(event(n))));
  assert.deepEqual(
    calls.map(({ length }) => length),
    [10, 2],
  );
  const { Source, DetailType, EventBusName, Detail, Time } = calls[0]![0];
  assert.deepEqual([Source, DetailType, EventBusName], ['pillarbox', 'Mail stored', 'default']);
  assert.equal(JSON.parse(Detail).bucket, 'the-bucket');
  assert.equal(Time.toISOString(), event(0).receivedAt);
});

test('an entry that EventBridge refused is sent again, alone', async () => {
  const { calls, announce } = bus((key, call) => call === 1 && key.endsWith('01.json'));
  await Promise.all([announce(event(0)), announce(event(1)), announce(event(2))]);
  assert.deepEqual(
    calls.map((entries) => entries.map(({ Detail }) => JSON.parse(Detail).key.slice(-7))),
    [['00.json', '01.json', '02.json'], ['01.json']],
  );
});

test('one that is refused twice fails by an own fault, and the others do not', async () => {
  const { announce } = bus((key) => key.endsWith('01.json'));
  const outcomes = await Promise.allSettled([announce(event(0)), announce(event(1))]);
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.message : 'sent')),
    ['sent', 'EventBridge did not take an event: ThrottlingException: no reason given'],
  );
  assert.equal(outcomes[1]!.status === 'rejected' && outcomes[1]!.reason.fault, 'aws');
});
