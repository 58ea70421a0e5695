// One verdict for one message, also if SQS hands its job out twice and the DNS does not answer both runs alike. Otherwise one run puts it
// in quarantine while the other puts it in the inbox and forwards it. Most mail is judged by what the DNS has answered, and accepted:
// the second run finds the same. Only a verdict that quarantines, or rests on a look-up that failed, is stored before anything is handed on.
import type { Authentication, ReceivedJob } from '#pipeline/contract/jobs.ts';
import type { Handout } from '#pipeline/contract/ports.ts';
import { verdictRecord } from '#pipeline/contract/records/verdict.ts';
import type { AuthenticateDeps } from './authenticate-deps.ts';
import { whyJudgeAgain } from './decide-disposition.ts';

type Judged = {
  readonly authentication: Authentication;
  /** Whether it sends the message into quarantine for any of its recipients. */
  readonly quarantines: boolean;
};

/** The verdict to act on: this one, or that of another run, which was stored before. Throws if the store fails. */
export async function agreeOnVerdict(
  { store, clock, log }: Pick<AuthenticateDeps, 'store' | 'clock' | 'log'>,
  job: ReceivedJob,
  { authentication, quarantines, receiveCount }: Judged & Pick<Handout, 'receiveCount'>,
): Promise<Authentication> {
  const key = verdictRecord.key(job);
  const mayDiffer = quarantines || whyJudgeAgain(authentication) !== null;
  if (mayDiffer) {
    const verdict = { schema: 'verdict/1', at: new Date(clock()).toISOString(), authentication } as const;
    if ((await verdictRecord.write(store, key, verdict, { ifAbsent: true })) !== null) return authentication;
  } else if (receiveCount === 1) return authentication;
  const earlier = await verdictRecord.read(store, key);
  if (earlier === null) return authentication;
  log.info('judged-before', { id: job.id, at: earlier.record.at });
  return earlier.record.authentication;
}
