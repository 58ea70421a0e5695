// An attempt that failed by a fault of ours: the lease is given back, and the delivery's record says what is wrong and when it is tried
// again. It counts against no host and uses up no attempt.
import { type StoredDelivery, writeDelivery } from '#functions/deliver/claim-attempt.ts';
import type { DeliverDeps } from '#functions/deliver/deliver-deps.ts';
import { errorMessage } from '#mail/problem.ts';
import type { Config } from '#pipeline/config/config.ts';
import { faultWaitMs } from '#pipeline/run/judge-failure.ts';
import { faultOf, ownFault } from '#pipeline/run/own-fault.ts';
import { type AttemptFacts, nobodyAsked } from './attempt-facts.ts';

type NoteOwnFaultDeps = Pick<DeliverDeps, 'store' | 'clock' | 'random'>;
type Attempt = { readonly config: Config; readonly claimed: StoredDelivery; readonly faults: number };

/**
 * Throws the fault with the time of the next try. If the message expires, or its sender is to be warned of the delay, answers facts that
 * make that happen as for any other message. What is no fault of ours is thrown as it came.
 */
export async function noteOwnFault(deps: NoteOwnFaultDeps, attempt: Attempt, thrown: unknown): Promise<AttemptFacts> {
  const { config, claimed, faults } = attempt;
  const now = deps.clock();
  const fault = faultOf(thrown);
  const expiresAt = Date.parse(claimed.state.job.expiresAt);
  const warnsAt = Date.parse(claimed.state.job.receivedAt) + config.delivery.delayWarningSeconds * 1_000;
  const isToWarn = claimed.state.warnedAt === null && now >= warnsAt;
  if (fault !== null && (now >= expiresAt || isToWarn))
    return nobodyAsked({ at: now, reason: fault.message }, { unasked: 'own-fault' });
  if (fault === null) {
    await giveBack(deps, claimed, { at: now, reason: errorMessage(thrown) });
    throw thrown;
  }
  const retryAt = Math.min(now + faultWaitMs(faults, config.delivery, deps.random()), expiresAt);
  await giveBack(deps, claimed, { at: retryAt, reason: fault.message });
  throw ownFault(fault.fault, fault.message, { cause: thrown, retryAt });
}

/** If the store fails too, the lease stays until it runs out. */
async function giveBack(
  deps: NoteOwnFaultDeps,
  { state, ...stored }: StoredDelivery,
  { at, reason }: { readonly at: number; readonly reason: string },
): Promise<void> {
  const attempt = state.lease?.attempt ?? state.next?.attempt ?? 1;
  const next = { attempt, at: new Date(at).toISOString(), reason: reason.slice(0, 1_000), queued: true };
  const updatedAt = new Date(deps.clock()).toISOString();
  const waiting = { ...state, state: 'waiting' as const, lease: null, next, updatedAt };
  await writeDelivery(deps.store, { ...stored, state: waiting }).catch(() => null);
}
