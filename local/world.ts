// What a world offers to the service that runs in it: the ports, the ops side, and its stages.

import type { OpsAdmin } from '#ops/admin.ts';
import type { Intake, JobSender, ObjectStore } from '#pipeline/contract/ports.ts';

export type LocalWorld = {
  readonly store: ObjectStore;
  readonly jobs: JobSender;
  readonly intake: Intake;
  readonly admin: OpsAdmin;
  /** Resolves if the world broke down: then the process should end. */
  readonly lost: Promise<Error>;
  /** What is wrong with what it has stored, a sentence each, for `/health`; none where all is well. */
  readonly problems: () => readonly string[];
  /** What `/health` shows of it. */
  readonly details: () => Promise<Readonly<Record<string, unknown>>>;
  /** Finishes what is under way, at most so many seconds; the rest goes on after the next start. Then closes. */
  readonly close: (graceSeconds: number) => Promise<void>;
};
