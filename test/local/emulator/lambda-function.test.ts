// What stands for Lambda: a sandbox for each invocation, its timeout by the world's clock, the account's limit.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Account, createFunction } from '#local/emulator/lambda-function.ts';

/** Hangs if it is told to, or answers how many invocations its sandbox has had. */
const source = `let n = 0; export const handler = async ({ hangs }) => {
  n += 1; if (hangs) await new Promise(() => setInterval(() => {}, 1_000));
  return { batchItemFailures: [{ itemIdentifier: String(n) }] }; };`;

async function functionOf(t: TestContext, account: Account) {
  const folder = await mkdtemp(join(tmpdir(), 'pillarbox-function-'));
  await writeFile(join(folder, 'index.mjs'), source);
  const options = { file: join(folder, 'index.mjs'), environment: {}, memoryMiB: 64, onLine: () => undefined };
  const called = createFunction({ ...options, timeoutSeconds: 900 }, account);
  t.after(async () => {
    await called.close();
    await rm(folder, { recursive: true, force: true });
  });
  return called;
}

test('a run is ended at the function’s timeout by the world’s clock, and those of other sandboxes go on', async (t) => {
  const account = { concurrency: 2, running: 0 };
  const called = await functionOf(t, account);
  const hanging = called.invoke({ hangs: true });
  const late = assert.rejects(hanging, /did not answer within 900 s/);
  assert.equal((await called.invoke({})).batchItemFailures[0]?.itemIdentifier, '1');
  called.setAhead(899_000);
  assert.equal(account.running, 1);
  called.setAhead(900_000);
  await late;
  assert.equal(account.running, 0);
});

test('what is more than the account may run at once is throttled', async (t) => {
  const called = await functionOf(t, { concurrency: 1, running: 0 });
  const first = called.invoke({});
  await assert.rejects(called.invoke({}), /throttled/);
  await first;
  assert.equal((await called.invoke({})).batchItemFailures[0]?.itemIdentifier, '2', 'the same sandbox');
});

test('killing what runs fails that, and the next invocation has a new sandbox', async (t) => {
  const called = await functionOf(t, { concurrency: 9, running: 0 });
  const killed = assert.rejects(called.invoke({ hangs: true }), /was killed/);
  assert.equal(await called.killRunning(), 1);
  await killed;
  assert.equal((await called.invoke({})).batchItemFailures[0]?.itemIdentifier, '1');
});
