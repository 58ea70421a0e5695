import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startMx } from '#test/support/peers/scripted-mx.ts';
import { deliveryWorld } from './delivery-world.ts';

test('a message is delivered with two writes of its state and one read of the message', async (t) => {
  const mx = await startMx();
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const job = world.job();
  assert.deepEqual(await world.run(job), { outcome: 'delivered' });
  assert.equal(mx.mails.length, 1);
  assert.equal(mx.mails[0]!.content, Buffer.from(world.store.bytes(job.raw.key)).toString());
  const state = world.state(job);
  assert.equal(state.state, 'delivered');
  assert.equal(state.attempts.length, 1);
  assert.equal(state.attempts[0]!.hosts[0]!.recipients[0]!.reply!.code, 250);
  assert.equal(world.jobs.sent.length, 0);
  assert.deepEqual(await world.run(job, 2), { outcome: 'duplicate' });
  assert.equal(mx.mails.length, 1);
});

test('of three recipients one is delivered once, one is tried later alone, one bounces', async (t) => {
  const mx = await startMx({
    answer: (line) =>
      line.includes('b@')
        ? '450 4.2.1 later'
        : line.includes('<c@') && line.startsWith('RCPT')
          ? '550 5.1.1 no such user'
          : undefined,
  });
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const job = world.job({ to: ['x@far.example', 'b@far.example', 'c@far.example'] });
  const outcome = await world.run(job);
  assert.equal(outcome.outcome, 'deferred');
  assert.deepEqual(
    mx.mails.map(({ rcpts }) => rcpts),
    [['RCPT TO:<x@far.example>']],
  );
  assert.equal(world.bounces.length, 1);
  assert.match(world.bounces[0]!.text, /Final-Recipient: rfc822; ?c@far\.example/);
  assert.deepEqual(world.bounces[0]!.job.envelope.recipients[0]!.route, {
    kind: 'mailbox',
    mailbox: { domain: 'sender.example', localPart: 'a', tag: null },
  });
  assert.ok(world.store.objects.has('suppressions/far.example/c.json'));
  mx.script = {};
  assert.deepEqual((await world.runNext()).outcome, 'partial');
  assert.deepEqual(
    mx.mails.map(({ rcpts }) => rcpts),
    [['RCPT TO:<x@far.example>'], ['RCPT TO:<b@far.example>']],
  );
  assert.equal(world.bounces.length, 1);
});
