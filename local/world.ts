// What a world must offer so that the service can run in it: the ports, the ops side, and its stages.

import type { OpsAdmin } from '#ops/admin.ts';
import type { Intake, JobSender, ObjectStore } from '#pipeline/contract/ports.ts';

export type LocalWorld = {
  readonly store: ObjectStore;
  readonly jobs: JobSender;
  readonly intake: Intake;
  readonly admin: OpsAdmin;
  /** Resolves when the world broke down: the process had better end. */
  readonly lost: Promise<Error>;
  /** What is wrong with what it has stored, a sentence each, for `/health`; none where all is well. */
  readonly problems: () => readonly string[];
  /** What `/health` shows of it. */
  readonly details: () => Promise<Readonly<Record<string, unknown>>>;
  /** Finishes what is under way, at most so many seconds; the rest goes on after the next start. Then closes. */
  readonly close: (graceSeconds: number) => Promise<void>;
};
