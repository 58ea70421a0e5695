// Lambda's poller of one queue: takes batches with a window, invokes a sandbox for each, deletes what was done, and leaves the rest to
// its visibility timeout. A hand-out whose invocation is throttled counts as one. A run that takes too long is ended with its sandbox.
import { messagesAtOnce } from '#pipeline/contract/jobs-per-message.ts';
import type { QueueName, Stage } from '#pipeline/contract/stages.ts';
import type { Scheduled } from '#test/simulation/engine/clock.ts';
import { outside, type SimProcess } from '#test/simulation/engine/process.ts';
import type { FaultyWorld } from '#test/simulation/faults.ts';
import type { HandedOut, SimQueue } from './sim-sqs.ts';

/** One execution environment of a function: it runs one invocation at a time, and stands still between them. */
export type Sandbox = {
  readonly process: SimProcess;
  readonly handler: (
    event: unknown,
  ) => Promise<{ readonly batchItemFailures: readonly { readonly itemIdentifier: string }[] }>;
};

export type PollerWorld = FaultyWorld & {
  readonly startSandbox: () => Sandbox;
  /** A planted fault: records are deleted before the function has run. */
  readonly deletesFirst: boolean;
  /** How many sandboxes run at once at most; fewer than the stage may have, if left out. */
  readonly batchesAtOnce?: number;
};

export type Poller = { readonly isBusy: () => boolean };

const windowMs = 2_000;
const usualBatchesAtOnce = 5;
const coldStartMs = [200, 1_200] as const;

/** Polls until the end of the world. */
export function startPoller(world: PollerWorld, queue: SimQueue, stage: Stage): Poller {
  const { clock, batchesAtOnce = usualBatchesAtOnce } = world;
  const idle: Sandbox[] = [];
  let busy = 0;
  let wake: Scheduled | null = null;
  const look = (): void => {
    wake?.cancel();
    wake = null;
    const at = queue.nextAt();
    if (at === null || busy >= Math.min(batchesAtOnce, stage.maxConcurrency.aws)) return;
    wake = clock.in(Math.max(at - clock.now(), 1), () => {
      wake = null;
      busy += 1;
      void outside(() => takeBatch(world, { queue, stage, idle })).then(() => {
        busy -= 1;
        look();
      });
      look();
    });
  };
  queue.onChange = look;
  return { isBusy: () => busy > 0 };
}

type Source = { readonly queue: SimQueue; readonly stage: Stage; readonly idle: Sandbox[] };

async function takeBatch(world: PollerWorld, source: Source): Promise<void> {
  const { clock, random, faults, mayFail, note } = world;
  const { queue, stage } = source;
  const most = messagesAtOnce(stage);
  const batch = [...queue.receive(most)];
  if (batch.length === 0) return;
  if (batch.length < most) {
    await clock.sleep(windowMs);
    batch.push(...queue.receive(most - batch.length));
  }
  if (mayFail() && random.chance(faults.functions.throttle)) {
    note(`${queue.name}: throttled, ${batch.length} come back later`);
    return world.trouble('throttled', queue.visibilityMs);
  }
  if (world.deletesFirst) for (const { receipt } of batch) queue.remove(receipt);
  const done = await invoke(world, source, batch);
  await clock.sleep(random.between(5, 60));
  for (const { receipt, message } of done) {
    if (!mayFail() || !random.chance(faults.sqs.deleteFails)) queue.remove(receipt);
    else {
      note(`${queue.name} ${message.id} is not deleted`);
      world.trouble('not deleted', queue.visibilityMs);
    }
  }
}

/** Answers those that are done. */
async function invoke(world: PollerWorld, source: Source, batch: readonly HandedOut[]): Promise<readonly HandedOut[]> {
  const { clock, random, note } = world;
  const { queue, stage, idle } = source;
  const known = idle.pop();
  if (known === undefined) await clock.sleep(random.between(...coldStartMs));
  const sandbox = known ?? world.startSandbox();
  const { process } = sandbox;
  process.thaw();
  process.setFate(drawFate(world));
  note(`${process.name} gets ${batch.map(({ message, receives }) => `${message.id} (${receives})`).join(', ')}`);
  const ended = Promise.withResolvers<ReadonlySet<string> | null>();
  const timeout = clock.in(stage.timeoutSeconds * 1_000, () => {
    if (process.isFrozen()) note(`${process.name} is given up while it stands still`);
    else process.kill();
    ended.resolve(null);
  });
  process.onDeath(() => ended.resolve(null));
  process.enter(() => {
    sandbox.handler(eventOf(queue.name as QueueName, batch)).then(
      ({ batchItemFailures }) => ended.resolve(new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier))),
      () => ended.resolve(null),
    );
  });
  const failed = await ended.promise;
  timeout.cancel();
  if (failed === null) {
    world.trouble('invocation failed', queue.visibilityMs);
    return [];
  }
  process.setFate(null);
  process.freeze();
  idle.push(sandbox);
  note(`${process.name} is done${failed.size === 0 ? '' : `, but for ${[...failed].join(', ')}`}`);
  return batch.filter(({ message }) => !failed.has(message.id));
}

function drawFate({ random, faults: { functions }, mayFail }: PollerWorld): Parameters<SimProcess['setFate']>[0] {
  if (!mayFail()) return null;
  const freezeMs = random.between(1_000, functions.longestFreezeMs);
  const at = random.between(1, 14);
  if (random.chance(functions.crash)) return { at, how: random.pick(['die-before', 'die-after']), freezeMs };
  return random.chance(functions.freeze) ? { at, how: 'freeze', freezeMs } : null;
}

/** The event as Lambda gives it. */
function eventOf(queue: QueueName, batch: readonly HandedOut[]): unknown {
  return {
    Records: batch.map(({ message, receipt, receives }) => ({
      messageId: message.id,
      receiptHandle: receipt,
      body: message.body,
      attributes: {
        ApproximateReceiveCount: String(receives),
        ...(message.group === undefined ? {} : { MessageGroupId: message.group }),
      },
      messageAttributes: Object.fromEntries(
        Object.entries(message.attributes).map(([name, { StringValue, DataType }]) => [
          name,
          { stringValue: StringValue, dataType: DataType },
        ]),
      ),
      eventSource: 'aws:sqs',
      eventSourceARN: `arn:aws:sqs:us-east-1:000000000000:mail-${queue}`,
    })),
  };
}
