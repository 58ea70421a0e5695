// What an attempt finds out: what the domain's hosts say, or why none is asked.

import { publishFailure } from '#functions/deliver/destination/back-off.ts';
import type { AcquiredHost } from '#functions/deliver/hosts/acquire-host.ts';
import { prepareOutgoingMessage } from '#functions/deliver/message/outgoing-message.ts';
import { type AttemptFacts, nobodyAsked } from '#functions/deliver/outcome/attempt-facts.ts';
import { attemptTime } from '#functions/deliver/smtp/timeouts.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import { ownFault } from '#pipeline/run/own-fault.ts';
import type { DeliverDeps } from './deliver-deps.ts';
import { tryHosts } from './try-hosts.ts';

/** `host`: null if none is needed, because the recipients are mailboxes here. `unasked`: why no host may be asked now. */
type GatherPlan = {
  readonly config: Config;
  readonly job: DeliverJob;
  readonly host: AcquiredHost | null;
  readonly unasked: string | null;
};

/** Gathers the facts. Throws a fault of ours, and whatever else keeps the attempt from being made. */
export async function gatherFacts(
  deps: DeliverDeps,
  { config, job, host, unasked }: GatherPlan,
): Promise<AttemptFacts> {
  const at = deps.clock();
  if (host === null) return nobodyAsked({ at, reason: null }, { unasked: 'delivered-locally' });
  switch (host.outcome) {
    case 'busy':
    case 'backed-off':
      return nobodyAsked({ at, reason: unasked }, { unasked: 'unavailable' });
    case 'no-host': {
      const { problem } = host;
      const ours = problem.outcome === 'later' ? ((await deps.dnsProblem?.()) ?? null) : null;
      if (ours !== null) throw ownFault('dns', ours);
      const permanent = problem.outcome === 'permanent' ? problem : null;
      return nobodyAsked({ at, reason: problem.reason }, { permanent, isExhausted: true });
    }
    case 'host': {
      const time = attemptTime(config.delivery.attemptSeconds, deps);
      const plan = { config, job, host, time, onSlow: (destination: string) => tellOfSlowHost(deps, job, destination) };
      return tryHosts(deps, plan, () => prepareOutgoingMessage({ ...deps, keys: deps.memory.keys }, config, job));
    }
  }
}

function tellOfSlowHost(deps: DeliverDeps, { id, domain }: DeliverJob, destination: string): void {
  deps.log.warn('destination-slow', { id, domain, destination });
  publishFailure(deps, destination).catch((error: unknown) =>
    deps.log.error('destination-not-kept', { destination, ...errorFields(error) }),
  );
}
