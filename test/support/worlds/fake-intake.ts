// An intake that keeps what it is given, and fails when it is told to.
import type { ReceivedJob } from '#pipeline/contract/jobs.ts';
import type { Intake } from '#pipeline/contract/ports.ts';

export type KeptMessage = {
  readonly job: ReceivedJob;
  readonly raw: Buffer;
  readonly envelope: object;
};
export type FakeIntake = Intake & {
  readonly messages: KeptMessage[];
  opened: number;
  aborted: number;
  /** What to fail at next, and on. */
  failing: 'nothing' | 'open' | 'write' | 'commit';
  /** Where set, every write or commit waits for it. */
  gate: Promise<void> | null;
  gateCommit: Promise<void> | null;
  /** Bytes handed over and not committed or aborted yet, at most. */
  keepBytes: boolean;
};

/** An intake with nothing in it. */
export function fakeIntake(): FakeIntake {
  const intake: FakeIntake = {
    messages: [],
    opened: 0,
    aborted: 0,
    failing: 'nothing',
    gate: null,
    gateCommit: null,
    keepBytes: true,
    open: ({ envelope }) => {
      if (intake.failing === 'open') throw new Error('no store: s3.secret.internal');
      intake.opened += 1;
      const chunks: Buffer[] = [];
      return {
        write: (chunk) => {
          if (intake.failing === 'write') return Promise.reject(new Error('disk full: /secret/path'));
          if (intake.keepBytes) chunks.push(Buffer.from(chunk));
          return intake.gate ?? undefined;
        },
        commit: async (job) => {
          if (intake.gateCommit !== null) await intake.gateCommit;
          if (intake.failing === 'commit') throw new Error('queue down: sqs.secret.internal');
          intake.messages.push({ job, raw: Buffer.concat(chunks), envelope });
        },
        abort: async () => {
          intake.aborted += 1;
        },
      };
    },
  };
  return intake;
}
