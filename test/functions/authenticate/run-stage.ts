// Runs the stage on one message with the ports as fakes, and gives back all that came of it.
import { createHash } from 'node:crypto';
import { authenticate } from '#functions/authenticate/authenticate.ts';
import type { AuthenticateDeps } from '#functions/authenticate/authenticate-deps.ts';
import type { Lane } from '#functions/authenticate/judge-in-lane.ts';
import type { Session } from '#mail/envelope/envelope.ts';
import type { RoutedRecipient } from '#mail/envelope/recipient.ts';
import { isMessageId, type MessageId } from '#mail/header/message-id.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import type { ReceivedJob } from '#pipeline/contract/jobs.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { createMemoryJobs } from '#test/support/fakes/memory-jobs.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { type Zone, zoneResolver } from '#test/support/fakes/zone-resolver.ts';
import { type Flat, nested } from '#test/support/samples/sample-jobs.ts';

export type Given = {
  readonly message?: string | Uint8Array;
  readonly zone?: Zone;
  readonly resolve?: Resolve;
  readonly config?: ConfigInput;
  readonly session?: Partial<Session>;
  readonly job?: Partial<Flat<ReceivedJob>>;
  readonly now?: string;
  /** Left out: the slow one, in which everything is asked and has its time. */
  readonly lane?: Lane;
  readonly dnsProblem?: AuthenticateDeps['dnsProblem'];
  readonly faults?: number;
  readonly receiveCount?: number;
  /** Left out: an empty one. */
  readonly store?: ReturnType<typeof createMemoryStore>;
};

export const plainMessage =
  'From: Ann <ann@sender.example>\r\nTo: bob@ours.example\r\nSubject: hello\r\n\r\nHello, Bob.\r\n';

const id = '01KAJZ3M8R0000000000000000';

/** A job for one local mailbox, as the `mx` listener would write it for a client at 192.0.2.1. */
export function receivedJob({ message = plainMessage, session, job }: Given = {}): ReceivedJob {
  const bytes = Buffer.from(message);
  return nested<ReceivedJob>({
    version: 2,
    id: messageId(id),
    receivedAt: '2026-11-21T12:00:00.000Z',
    raw: {
      key: `raw/2026/11/21/12/${id}.eml`,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    },
    session: {
      role: 'mx',
      clientIp: '192.0.2.1',
      clientName: null,
      helo: 'mail.sender.example',
      tls: null,
      user: null,
      ...session,
    },
    reversePath: 'ann@sender.example',
    attempt: 1,
    recipients: [mailboxRecipient('bob')],
    ...job,
  });
}

export const noDsn = { notify: null, orcpt: null } as const;

export function mailboxRecipient(localPart: string, domain = 'ours.example'): RoutedRecipient {
  const mailbox = { domain, localPart, tag: null };
  return { forwardPath: `${localPart}@${domain}`, dsn: noDsn, route: { kind: 'mailbox', mailbox } };
}

export async function runStage(given: Given = {}) {
  const job = receivedJob(given);
  const store = given.store ?? createMemoryStore();
  store.seed(job.raw.key, given.message ?? plainMessage);
  const jobs = createMemoryJobs();
  const secretsRead: string[] = [];
  const log = silentLog();
  const deps: AuthenticateDeps = {
    store,
    jobs,
    config: fixedConfig({ hostname: 'mx.ours.example', ...given.config }),
    secrets: {
      read: async (reference) => {
        secretsRead.push(reference);
        return 'the secret of the tests';
      },
    },
    resolve: given.resolve ?? zoneResolver(given.zone ?? {}),
    ...(given.dnsProblem === undefined ? {} : { dnsProblem: given.dnsProblem }),
    clock: setClock(given.now ?? '2026-11-21T12:00:01.000Z'),
    lane: given.lane ?? 'slow',
    log,
    metrics: noMetrics(),
  };
  const outcome = await authenticate(deps, job, { receiveCount: given.receiveCount ?? 1, faults: given.faults ?? 0 });
  return { outcome, jobs, store, log, secretsRead, deps, job };
}

/** The verdict of a message that was handed on; fails where it is to be judged again. */
export async function judge(given: Given = {}) {
  const { outcome } = await runStage({ ...given, config: { dns: { temperrorRetrySeconds: [] }, ...given.config } });
  if (outcome.outcome !== 'handed-on') throw new Error(`not handed on: ${JSON.stringify(outcome)}`);
  return outcome.authentication;
}

function messageId(text: string): MessageId {
  if (!isMessageId(text)) throw new Error('not an id');
  return text;
}
