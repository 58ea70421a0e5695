// The notify stage: tells one hook of one stored message. It reads the hook from the configuration and the message from the store,
// calls the hook, and judges the answer: done, given up, or told again later by a job of its own. Hooks are told at least once.
import type { ConfigSource } from '#pipeline/config/config.ts';
import type { Hook } from '#pipeline/config/hook.ts';
import type { NotifyJob } from '#pipeline/contract/jobs.ts';
import type {
  Clock,
  Handout,
  JobSender,
  LinkTo,
  Log,
  Metrics,
  ObjectStore,
  Secrets,
} from '#pipeline/contract/ports.ts';
import { hookTriedMs } from '#pipeline/contract/retention.ts';
import { readBody } from '#pipeline/contract/stored-body.ts';
import { webhookKey } from '#pipeline/contract/webhook-signature.ts';
import { ownFault, triedLongEnough } from '#pipeline/run/own-fault.ts';
import { callProgram } from './call-program.ts';
import { callTimeoutMs, callWebhook } from './call-webhook.ts';
import type { LookUp, Reach } from './find-addresses.ts';
import { type Judged, judgeAnswer, nextAttemptAt } from './judge-answer.ts';
import type { Programs } from './judge-program.ts';
import { webhookBody, webhookHeaders } from './webhook-message.ts';

/** What the stage may touch. */
export type NotifyDeps = {
  readonly store: Pick<ObjectStore, 'get'>;
  readonly jobs: JobSender;
  readonly config: ConfigSource;
  readonly secrets: Secrets;
  readonly lookUp: LookUp;
  /** Whether hooks may be on this machine, and whether a hook may be allowed into private networks. */
  readonly reach: Reach;
  /** Makes links to large messages; null: they are sent whole. */
  readonly linkTo: LinkTo | null;
  /** Runs commands and modules of hooks; null: they are not run here. */
  readonly programs: Programs | null;
  /** How long a call may take, if not 20 s. */
  readonly timeoutMs?: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** 0 to 1. */
  readonly random: () => number;
};

export type NotifyOutcome = { readonly outcome: 'told' | 'gone' | 'deleted' | 'told-later' };

/** From this attempt on, some twenty minutes after the first, a hook that fails is watched: its alarm rises. */
const watchedAttempt = 5;

/** Runs the stage for one job. Throws if the platform fails, if the message is lost, or when a day is over. */
export async function notify(deps: NotifyDeps, job: NotifyJob, { receiveCount }: Handout): Promise<NotifyOutcome> {
  const { hooks } = await deps.config.current();
  const hook = hooks.find(({ name }) => name === job.hook);
  if (hook === undefined) return report(deps, job, { outcome: 'gone', reason: 'the configuration has no such hook' });
  // SQS delivers a dead letter a few times more before it moves it: the hook is not called by these.
  if (receiveCount > 1 && isOver(deps, job)) throw givenUp(job, job.lastReason ?? 'it could not be told');
  const startedAt = deps.clock();
  const judged = await tell(deps, job, hook);
  deps.metrics.measure('hook-seconds', (deps.clock() - startedAt) / 1_000);
  return report(deps, job, judged);
}

/** `deleted`: nobody wants to hear of it any more. */
type Ended = Judged | { readonly outcome: 'deleted' };

async function tell(deps: NotifyDeps, job: NotifyJob, hook: Hook): Promise<Ended> {
  const json = await readMessage(deps, job.key);
  if (json === null) return { outcome: 'deleted' };
  const { url, secret } = hook;
  if (url === undefined || secret === undefined) return callProgram(deps, job, { hook, json });
  const body = await webhookBody(job, json, deps.linkTo);
  const key = await readKey(deps, { name: hook.name, secret });
  const answer = await callWebhook(
    { url, headers: webhookHeaders(job, { body, key, sentAtMs: deps.clock() }), body },
    {
      lookUp: deps.lookUp,
      reach: { loopback: deps.reach.loopback, private: deps.reach.private && hook.allowPrivate },
      timeoutMs: deps.timeoutMs ?? callTimeoutMs,
    },
  );
  return judgeAnswer(answer, deps.clock());
}

/** Null if it was deleted: its job was made when it was stored. A store that has lost its body throws. */
async function readMessage({ store }: NotifyDeps, key: string): Promise<Uint8Array | null> {
  const found = await store.get(key);
  return found === null ? null : readBody(found.body);
}

async function readKey(
  { secrets }: NotifyDeps,
  { name, secret }: { readonly name: string; readonly secret: string },
): Promise<Uint8Array> {
  const key = webhookKey(await secrets.read(secret));
  if (!('problem' in key)) return key;
  throw ownFault('secret', `hook ${name}: the secret ${JSON.stringify(secret)} cannot be used: ${key.problem}`);
}

async function report(deps: NotifyDeps, job: NotifyJob, judged: Ended): Promise<NotifyOutcome> {
  const { log, metrics } = deps;
  const { id, key, hook, attempt } = job;
  const facts = { id, hook, key, attempt };
  metrics.count('hook-calls', { outcome: judged.outcome });
  switch (judged.outcome) {
    case 'told':
      log.info('hook-told', { ...facts, ...toldFacts(judged) });
      return { outcome: 'told' };
    case 'gone':
      log.warn('hook-gone', { ...facts, reason: judged.reason });
      return { outcome: 'gone' };
    case 'deleted':
      log.info('hook-mail-deleted', facts);
      return { outcome: 'deleted' };
    case 'failed': {
      const { reason, afterMs } = judged;
      const at = nextAttemptAt(job, { nowMs: deps.clock(), afterMs, random: deps.random() });
      const next = at === null ? null : new Date(at).toISOString();
      log.warn('hook-failed', { ...facts, reason, next });
      if (attempt >= watchedAttempt) metrics.count('hooks-failing');
      if (next === null) throw givenUp(job, reason);
      const again = { ...job, attempt: attempt + 1, lastReason: reason };
      await deps.jobs.send('notify', again, { notBefore: next, group: hook });
      return { outcome: 'told-later' };
    }
  }
}

function toldFacts({ said, answered }: Extract<Judged, { readonly outcome: 'told' }>) {
  return { ...(answered === null ? {} : { status: answered }), ...(said === '' ? {} : { output: said }) };
}

function isOver({ clock }: NotifyDeps, { createdAt }: NotifyJob): boolean {
  return clock() >= Date.parse(createdAt) + hookTriedMs;
}

function givenUp({ hook, attempt }: NotifyJob, reason: string): Error {
  return triedLongEnough(`hook ${hook} was tried ${attempt} times in a day; the last reason: ${reason}`);
}
