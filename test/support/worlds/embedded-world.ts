// An embedded world in a folder of its own, with a clock that tests move. Closing it removes the folder.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type EmbeddedWorld, openEmbedded } from '#local/embedded/open-embedded.ts';
import type { LeasedJob } from '#local/run/job-source.ts';
import { type QueueName, queueNames } from '#pipeline/contract/stages.ts';
import type { StageRuns } from '#pipeline/run/run-job.ts';
import { type SetClock, setClock } from '#test/support/fakes/set-clock.ts';

export type Received = LeasedJob & { readonly done: () => Promise<void>; readonly giveBack: () => Promise<void> };
export type TestWorld = EmbeddedWorld & {
  readonly folder: string;
  readonly clock: SetClock;
  /** One poll: what is ready now; none where there is nothing. */
  readonly receive: (queue: QueueName, max: number) => Promise<readonly Received[]>;
  /** Closes the world and leaves the folder. */
  readonly shut: () => Promise<void>;
};

/** A folder for one test. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'pillarbox-test-'));
}

/** Stages that do nothing, and say that it is done. */
export function idleRuns(): StageRuns {
  return Object.fromEntries(queueNames.map((queue) => [queue, async () => ({ outcome: 'done' })])) as never;
}

/** Opens a world, closed when test `t` ends; in `folder` where one is given (it is kept on `shut`, removed on `close`). */
export async function openTestWorld({
  folder = temporaryFolder(),
  clock = setClock(Date.now()),
  t,
  ...options
}: {
  folder?: string;
  clock?: SetClock;
  maxPages?: number;
  t?: TestContext;
} = {}): Promise<TestWorld> {
  const world = await openEmbedded({ folder, clock, ...options });
  const receive = async (queue: QueueName, max: number): Promise<readonly Received[]> => {
    const counts = (await world.admin.queues()).find(({ name }) => name === queue);
    if (counts?.ready === 0) return [];
    const terms = { queue, max, maxPerGroup: Number.MAX_SAFE_INTEGER, maxReceives: 5, leaseSeconds: 600 };
    return (await world.source.lease(terms)).map((job) => ({
      ...job,
      done: () => world.source.ack(job),
      giveBack: async () => {
        await world.source.nack(job, { delaySeconds: 0, reason: 'given back' });
      },
    }));
  };
  const close = async (): Promise<void> => {
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  };
  t?.after(close);
  return { ...world, folder, clock, receive, shut: world.close, close };
}
