// Deliveries of one message on S3, which lists a thousand keys at a time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAwsAdmin } from '#ops/aws/aws-admin.ts';
import { deliveryKey } from '#pipeline/contract/keys.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';
import { sampleDeliverJob } from '#test/support/samples/sample-jobs.ts';

test('the deliveries of a message to more than a thousand domains are all listed, page by page', async () => {
  const store = createMemoryStore();
  const job = sampleDeliverJob();
  for (let n = 0; n < 2_100; n++)
    store.seed(deliveryKey({ ...job, domain: `d${n}.example` as never }), Buffer.from('{}'));
  const unused = async () => assert.fail('not asked');
  const admin = createAwsAdmin({
    store,
    reader: {
      list: ({ limit = 1_000, ...query }) => store.list({ ...query, limit: Math.min(limit, 1_000) }),
      folders: unused,
    },
    config: fixedConfig({}),
    queues: () => assert.fail('not asked'),
    deadLetters: { counts: unused, peek: unused, redrive: unused, purge: unused },
    clock: setClock(),
    onProgress: () => {},
  });
  const keys: string[] = [];
  for (let after: string | null = null, pages = 0; pages < 5; pages++) {
    const page: Awaited<ReturnType<typeof admin.deliveryKeys>> = await admin.deliveryKeys({
      id: job.id,
      limit: 500,
      after,
    });
    keys.push(...page.keys);
    after = page.next;
    if (after === null) break;
  }
  assert.equal(new Set(keys).size, 2_100);
  assert.deepEqual(keys, keys.toSorted().toReversed());
});
