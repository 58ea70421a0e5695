// The hosts of a domain tried in order, as facts: what each said of each recipient, how long it took. It decides only which host is
// asked next; what follows from the facts is for judge-attempt.ts.
import { destinationOf, type Failure, noteFailure } from '#functions/deliver/destination/back-off.ts';
import { judgeDestination } from '#functions/deliver/destination/judge-destination.ts';
import type { Slot } from '#functions/deliver/destination/slots.ts';
import { type AcquiredHost, acquireSlot, type Choice } from '#functions/deliver/hosts/acquire-host.ts';
import type { OutgoingMessage } from '#functions/deliver/message/outgoing-message.ts';
import type { AttemptFacts } from '#functions/deliver/outcome/attempt-facts.ts';
import { isRelayRefusal } from '#functions/deliver/outcome/relay-refusal.ts';
import {
  type Context,
  type Held,
  loginOf,
  secondsSince,
  spent,
  talkToHost,
} from '#functions/deliver/smtp/talk-to-host.ts';
import type { AttemptTime } from '#functions/deliver/smtp/timeouts.ts';
import { type RecipientAtHost, withoutSuccess } from '#mail/envelope/recipient.ts';
import { errorMessage } from '#mail/problem.ts';
import type { SentRecipient } from '#mail/smtp/parameters.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import type { HostTry } from '#pipeline/contract/records/delivery.ts';
import { faultOf } from '#pipeline/run/own-fault.ts';
import type { DeliverDeps } from './deliver-deps.ts';

type TryHostsDeps = Pick<DeliverDeps, 'secrets' | 'clock' | 'random' | 'store' | 'connections' | 'memory' | 'leases'>;

/** What is tried, at which hosts, in what time. `onSlow`: a destination takes long, and that is noted. */
type HostPlan = {
  readonly config: Config;
  readonly job: DeliverJob;
  readonly host: Extract<AcquiredHost, { outcome: 'host' }>;
  readonly time: AttemptTime;
  readonly onSlow: (destination: string) => void;
};

type Attempt = Context & {
  readonly deps: TryHostsDeps;
  readonly job: DeliverJob;
  /** Notes that a destination failed. */
  readonly fail: (destination: string, failure: Failure) => void;
  readonly slots: Map<string, Slot>;
};

const maxHostsTalkedTo = 3;

/** Tries the hosts of the job's domain for the job's recipients. `message` is asked for once there is somewhere to go. */
export async function tryHosts(
  deps: TryHostsDeps,
  plan: HostPlan,
  message: () => Promise<OutgoingMessage>,
): Promise<AttemptFacts> {
  const started = performance.now();
  const startedAt = deps.clock();
  const at = new Date(startedAt).toISOString();
  const { mailHosts, choice } = plan.host;
  const held: Held[] = [];
  const slots = new Map<string, Slot>();
  const release = (): void => {
    for (const { connection, ...use } of held.splice(0)) deps.connections.release(connection, use);
    for (const slot of slots.values()) slot.release();
  };
  const found = { held, slots, noted: new Set<string>(), dsnPassedOn: new Set<string>() };
  const fail: Attempt['fail'] = (destination, failure) => {
    const { retrySeconds } = plan.config.delivery;
    noteFailure(deps, destination, { ...failure, startedAt, retrySeconds });
    found.noted.add(destination);
  };
  const onSlow = (destination: string, reason: string): void => {
    fail(destination, { reason });
    plan.onSlow(destination);
  };
  try {
    const login = await loginOf(deps.secrets, plan.config);
    const context = { ...plan, ...found, deps, login, message: await message(), mailHosts, fail, onSlow };
    const { hosts, last, notes } = await tryTargets(context, choice);
    const reasons = [mailHosts.note, ...notes].filter((note) => note !== null);
    return {
      record: { at, seconds: secondsSince(started), reason: reasons.join('; ') || null, hosts },
      permanent: null,
      isExhausted: hosts.length === mailHosts.targets.length,
      soonMs: last.outcome === 'busy' ? last.waitMs : null,
      noted: found.noted,
      dsnPassedOn: found.dsnPassedOn,
      release,
    };
  } catch (error) {
    for (const { connection } of held.splice(0)) deps.connections.release(connection, spent);
    release();
    throw error;
  }
}

type Tried = { readonly hosts: HostTry[]; readonly last: Choice; readonly notes: readonly string[] };

type Chosen = Choice & { readonly outcome: 'host' };

async function tryTargets(attempt: Attempt, first: Chosen): Promise<Tried> {
  const { config, job, deps, slots, time } = attempt;
  const rules = { config, job, held: slots };
  const hosts: HostTry[] = [];
  const notes = [...first.passedOver];
  let choice: Choice = first;
  try {
    while (choice.outcome === 'host') {
      slots.set(choice.destination, choice.slot);
      const left = worthAsking(job, hosts);
      const talkedTo = hosts.filter(({ outcome }) => outcome === 'talked').length;
      if (left.length === 0 || talkedTo >= maxHostsTalkedTo || performance.now() >= time.beginBy) break;
      hosts.push(await talkToHost(attempt, choice, left));
      afterTry(attempt, choice, hosts);
      if (worthAsking(job, hosts).length === 0) break;
      choice = await acquireSlot(deps, choice.rest, rules);
      notes.push(...choice.passedOver);
    }
  } catch (thrown) {
    notes.push(afterFault(hosts, thrown));
  }
  return { hosts, last: choice, notes };
}

/** A note of what went wrong here, so that the answers before it are kept; throws if there is none, and on a bug before a final one. */
function afterFault(hosts: readonly HostTry[], thrown: unknown): string {
  const isWorthKeeping = faultOf(thrown) !== null || hosts.some(({ recipients }) => recipients.some(isFinal));
  if (hosts.length === 0 || !isWorthKeeping) throw thrown;
  return `ended early by a fault of this service: ${errorMessage(thrown)}`;
}

/** All jobs know at once that a destination failed, and its slot is free for the job that tries it next. */
function afterTry(attempt: Attempt, { destination, target, rest }: Chosen, hosts: readonly HostTry[]): void {
  const { config, slots, held } = attempt;
  if (held.every(({ connection }) => connection.destination !== destination)) {
    slots.get(destination)?.release();
    slots.delete(destination);
  }
  if (rest.some((other) => other.ip !== target.ip && destinationOf(config, other) === destination)) return;
  const verdict = judgeDestination(hosts.filter((host) => destinationOf(config, host) === destination));
  if (verdict.outcome === 'failed') attempt.fail(destination, verdict);
}

/**
 * Recipients for whom another host may have another answer: nothing was sent yet, or the answer was temporary, or that host
 * lacked something. Never after a final answer, and never if the message may already have been delivered.
 */
function worthAsking({ envelope: { recipients }, sender }: DeliverJob, hosts: readonly HostTry[]): SentRecipient[] {
  const hasAnswer = (forwardPath: string): boolean =>
    hosts.some((host) => host.recipients.some((result) => result.forwardPath === forwardPath && isOver(result)));
  const seen = new Set<string>();
  return recipients.flatMap(({ forwardPath, originalForwardPath, dsn }): SentRecipient[] => {
    if (hasAnswer(forwardPath) || seen.has(forwardPath)) return [];
    seen.add(forwardPath);
    // RFC 3461 §5.2.7: the success of what an alias led to is reported here (`expanded`), so it is not asked for there.
    const asked = originalForwardPath === null ? dsn : withoutSuccess(dsn);
    // A host that knows DSN must not report to an unproven sender, who may have sent nothing.
    return [{ forwardPath, dsn: sender?.proven === false ? { ...asked, notify: ['never'] } : asked }];
  });
}

/** Final, or what every address of the relay would say. */
function isOver(result: RecipientAtHost): boolean {
  return isFinal(result) || isRelayRefusal(result);
}

/** The host took the message, or may have, or refused it for good. */
function isFinal({ outcome, stage }: RecipientAtHost): boolean {
  return outcome === 'accepted' || outcome === 'unknown' || (outcome === 'refused' && stage !== 'capability');
}
