// While no DNS server of ours answers anybody, a verdict would say nothing about the sender, and whoever forged an author would get
// in: the message waits for us instead, without using up a judgement. A zone that does not answer is another's affair.
import { isLoopbackAddress } from '#mail/address/loopback.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { ReceivedJob } from '#pipeline/contract/jobs.ts';
import type { Handout } from '#pipeline/contract/ports.ts';
import { ownFault } from '#pipeline/run/own-fault.ts';

/** What is wrong with our own DNS, as a sentence, where it answered nothing since this time and answers nothing now; else null. */
export type DnsProblem = (sinceMs?: number) => Promise<string | null>;

type Judgement = {
  readonly config: Pick<Config, 'mode' | 'dns' | 'delivery'>;
  readonly handout: Pick<Handout, 'whileWaiting'>;
  /** When it began, in milliseconds since 1970. */
  readonly startedAt: number;
  readonly dnsProblem: DnsProblem | undefined;
};

/** Throws the fault where there is one for which the message may wait; holds no worker while it asks. */
export async function waitForDns(job: ReceivedJob, judgement: Judgement): Promise<void> {
  const { config, handout, startedAt, dnsProblem } = judgement;
  if (dnsProblem === undefined || !mayWait(job, config, startedAt)) return;
  const ask = (): Promise<string | null> => dnsProblem(startedAt);
  const problem = await (handout.whileWaiting === undefined ? ask() : handout.whileWaiting(ask));
  if (problem !== null) throw ownFault('dns', problem);
}

/**
 * For as long as a message may wait at all. Not in capture mode, nor where `dns.temperrorRetrySeconds` is empty: there no mail waits
 * for any DNS. Nor what a program of this machine hands in where the machine's own DNS is asked: it may have none at all.
 */
function mayWait(
  { receivedAt, envelope: { session } }: ReceivedJob,
  { mode, dns, delivery }: Judgement['config'],
  now: number,
): boolean {
  if (mode === 'capture' || dns.temperrorRetrySeconds.length === 0) return false;
  if (dns.servers.length === 0 && isLoopbackAddress(session.clientIp ?? '')) return false;
  return now < Date.parse(receivedAt) + delivery.expireSeconds * 1_000;
}
