// The embedded world: one folder with one SQLite file, large bodies beside it, one process at a time.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createJobSender, createJobSource } from '#local/embedded/queue/job-queue.ts';
import { createObjectStore } from '#local/embedded/store/object-store.ts';
import type { JobSource } from '#local/run/job-source.ts';
import type { OpsAdmin } from '#ops/admin.ts';
import { isMailKey, type KeptSince } from '#pipeline/contract/keys.ts';
import type { Intake, JobSender, ObjectStore } from '#pipeline/contract/ports.ts';
import { createAdmin } from './admin.ts';
import { type ClientOptions, startClient } from './client.ts';
import { startIndexing } from './index-mail.ts';
import { createIntake } from './intake.ts';
import type { OpenedBodies, Statistics } from './requests.ts';

export type EmbeddedWorld = {
  readonly store: ObjectStore;
  readonly jobs: JobSender;
  readonly source: JobSource;
  readonly intake: Intake;
  readonly admin: OpsAdmin;
  /** What the folder of bodies was like at the start. */
  readonly bodies: OpenedBodies;
  /** Deletes a little of what is older than these times; answers how many objects, 0 when nothing is left. */
  readonly sweep: (before: KeptSince) => Promise<number>;
  /** Gives a little of the free space in the database file back to the disk; answers whether there is more. */
  readonly shrink: () => Promise<boolean>;
  /** Looks at the clock: needed only in tests, whose clock does not run by itself. */
  readonly tick: () => Promise<void>;
  readonly statistics: () => Promise<Statistics>;
  /** Resolves when the database thread is lost (never, where all is well, before `close`). */
  readonly lost: Promise<Error>;
  readonly close: () => Promise<void>;
};

const sweepLimit = 200;

/** Opens the folder (making it where it is missing); rejects where another process has it, or it cannot be written. */
export async function openEmbedded(options: ClientOptions): Promise<EmbeddedWorld> {
  const { folder, clock } = options;
  const bodies = join(folder, 'bodies');
  await mkdir(bodies, { recursive: true, mode: 0o700 });
  const client = await startClient(options);
  const watchers = { written: new Set<(key: string) => void>(), deleted: new Set<(key: string) => void>() };
  const tell = (told: Set<(key: string) => void>) => (key: string) => {
    for (const watcher of told) watcher(key);
  };
  const indexing = startIndexing(client);
  for (const told of [watchers.written, watchers.deleted]) {
    told.add((key) => {
      if (isMailKey(key)) indexing.changed();
    });
  }
  const changed = { written: tell(watchers.written), deleted: tell(watchers.deleted) };
  return {
    store: createObjectStore(client, bodies, changed),
    jobs: createJobSender(client, clock),
    source: createJobSource(client, clock),
    intake: createIntake(client, bodies, clock),
    admin: createAdmin(client, watchers),
    bodies: client.bodies,
    sweep: async (before) => {
      const keys = await client.ask({ kind: 'sweep', before, limit: sweepLimit });
      for (const key of keys) changed.deleted(key);
      return keys.length;
    },
    shrink: () => client.ask({ kind: 'shrink' }),
    tick: async () => {
      await client.ask({ kind: 'tick' });
    },
    statistics: () => client.ask({ kind: 'statistics' }),
    lost: client.lost,
    close: () => {
      indexing.stop();
      return client.close();
    },
  };
}
