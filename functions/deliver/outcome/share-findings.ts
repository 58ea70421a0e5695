// Makes what an attempt showed of destinations and of our own network known to all jobs and processes.
import type { DeliverDeps } from '#functions/deliver/deliver-deps.ts';
import { destinationOf, publishFailure, recordVerdict } from '#functions/deliver/destination/back-off.ts';
import { judgeDestination } from '#functions/deliver/destination/judge-destination.ts';
import { signOf, watchPort } from '#functions/deliver/destination/port25.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import type { AttemptFacts } from './attempt-facts.ts';

/** Shares it. `startedAt`: when the attempt began, in milliseconds since 1970. */
export async function shareFindings(
  deps: Pick<DeliverDeps, 'store' | 'clock' | 'log' | 'metrics' | 'memory' | 'random'>,
  found: {
    readonly config: Config;
    readonly job: DeliverJob;
    readonly facts: AttemptFacts;
    readonly startedAt: number;
  },
): Promise<void> {
  const { config, job, facts, startedAt } = found;
  const { hosts } = facts.record;
  const { retrySeconds, mode, port } = config.delivery;
  const byDestination = Map.groupBy(hosts, (host) => destinationOf(config, host));
  for (const [destination, tries] of byDestination) {
    const verdict = judgeDestination(tries);
    if (verdict.outcome === 'failed' && facts.noted.has(destination)) await publishFailure(deps, destination);
    else await recordVerdict(deps, destination, { verdict, startedAt, retrySeconds });
  }
  if (mode !== 'mx') return;
  await watchPort(deps, signOf(hosts), { domain: job.domain, ip: hosts.at(-1)?.ip ?? '', port });
}
