// The suppression list: an address that its own host calls non-existent is put on it, for mail of the domain of ours that wrote, and
// the listener refuses mail to it for a while. Nothing else counts: not the sender, the content, a full mailbox or a temporary fault.
// A domain that refuses very many addresses at once is taken to be in trouble, and its word does not count.
import { LRUCache } from 'lru-cache';
import { type EmailAddress, parseAddress } from '#mail/address/address.ts';
import { pathsOf, type RecipientAtHost } from '#mail/envelope/recipient.ts';
import { isProblem } from '#mail/problem.ts';
import { shownReply } from '#mail/smtp/reply.ts';
import type { Log, Metrics, ObjectStore } from '#pipeline/contract/ports.ts';
import { askedRecipient, type DeliveryAttempt, type DeliveryState } from '#pipeline/contract/records/delivery.ts';
import { isInTrouble, refusalsRecord, type Trouble, withRefusals } from '#pipeline/contract/records/refusals.ts';
import { emptyRecord, suppressionRecord, withBounce, withoutBounces } from '#pipeline/contract/records/suppression.ts';
import { boundedTable } from '#pipeline/run/bounded-table.ts';

/** How many recipients each domain took within the last hour, as far as this process knows. */
export type AcceptedCounts = {
  readonly add: (domain: string, nowMs: number) => void;
  /** How many, and begins anew. */
  readonly take: (domain: string, nowMs: number) => number;
};

type SuppressDeps = {
  readonly store: Pick<ObjectStore, 'get' | 'put' | 'delete'>;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly memory: { readonly accepted: AcceptedCounts };
};

const hourMs = 3_600_000;
/** RFC 3463 §3.2: bad mailbox, moved without forwarding; 5.1.10 is what Exchange calls a recipient that it does not find. */
const hardStatuses = new Set(['5.1.1', '5.1.6', '5.1.10']);
const hardWords =
  /\b(?:no such (?:user|mailbox|recipient|address|person)|(?:user|recipient|mailbox|address|account)(?: \S+){0,3} (?:unknown|does not exist|doesn't exist|not found|not exist)|unknown (?:user|recipient|mailbox|address|local part)|invalid (?:recipient|mailbox))\b/i;

/** Makes them; of more than 10,000 domains the longest unused are dropped. */
export function createAcceptedCounts(): AcceptedCounts {
  const counts = new LRUCache<string, { readonly since: number; readonly count: number }>(boundedTable(10_000));
  const known = (domain: string, nowMs: number) => {
    const found = counts.get(domain);
    return found === undefined || nowMs - found.since > hourMs ? { since: nowMs, count: 0 } : found;
  };
  return {
    add: (domain, nowMs) => {
      const { since, count } = known(domain, nowMs);
      counts.set(domain, { since, count: count + 1 });
    },
    take: (domain, nowMs) => {
      const { count } = known(domain, nowMs);
      counts.delete(domain);
      return count;
    },
  };
}

/**
 * Writes down the addresses that an attempt's hosts called non-existent, and takes off the list those that took mail after all.
 * Costs nothing if nobody was refused and nobody bounced before.
 */
export async function suppress(deps: SuppressDeps, state: DeliveryState, attempt: DeliveryAttempt): Promise<void> {
  const results = attempt.hosts.flatMap((host) => host.recipients.map((result) => ({ host: host.host, result })));
  const taken = results.filter(({ result }) => result.outcome === 'accepted');
  const now = Date.parse(state.updatedAt);
  for (const _ of taken) deps.memory.accepted.add(state.job.domain, now);
  for (const { result } of taken) await clear(deps, state, result.forwardPath);
  const bounced = pathsOf(state.recipients.filter((recipient) => recipient.state === 'bounced'));
  const refused = results.filter(({ result }) => bounced.has(result.forwardPath) && isHardBounce(result));
  const about = refused.flatMap(({ host, result }): Refused[] => {
    const address = parseAddress(result.forwardPath);
    const sender = senderOf(state, result.forwardPath);
    return isProblem(address) || sender === null ? [] : [{ host, result, address, sender }];
  });
  if (about.length === 0) return;
  const troubles = await troublesOf(deps, state, about);
  if (troubles === null || isInTrouble(troubles, state.updatedAt)) return;
  for (const one of about) await write(deps, { state, troubles, ...one });
}

/** Whether a peer's answer means that the address does not exist. */
export function isHardBounce({ outcome, stage, reply }: RecipientAtHost): boolean {
  if (outcome !== 'refused' || stage !== 'rcpt' || reply === null) return false;
  if (reply.enhanced !== null) return hardStatuses.has(reply.enhanced);
  return (reply.code === 550 || reply.code === 551 || reply.code === 553) && hardWords.test(reply.text);
}

type Refused = {
  readonly host: string;
  readonly result: RecipientAtHost;
  readonly address: EmailAddress;
  readonly sender: string;
};

/** The domain of ours whose mail it is: that of the alias, or of the reverse-path; null for the null reverse-path. */
function senderOf({ job }: DeliveryState, forwardPath: string): string | null {
  if (job.envelope.reversePath === '') return null;
  const asked = askedRecipient({ job }, forwardPath);
  const sender = parseAddress(asked?.originalForwardPath ?? job.envelope.reversePath);
  return isProblem(sender) ? null : sender.domain;
}

/** Counts the refusals for the domain as a whole; when it was or is in trouble. Null if others were faster each time. */
async function troublesOf(
  deps: SuppressDeps,
  { job: { domain }, updatedAt: at }: DeliveryState,
  refused: readonly Refused[],
): Promise<readonly Trouble[] | null> {
  const { store, log, metrics } = deps;
  const localParts = refused.map(({ address }) => address.localPart.toLowerCase());
  const accepted = deps.memory.accepted.take(domain, Date.parse(at));
  let before = 0;
  const counted = await refusalsRecord.change(store, refusalsRecord.key(domain), (found) => {
    before = found?.troubles.length ?? 0;
    return withRefusals(found, { localParts, accepted, at });
  });
  if (counted === null) return null;
  const { troubles } = counted;
  const [last] = troubles.slice(-1);
  if (last !== undefined && troubles.length !== before) {
    log.warn('receiver-in-trouble', { domain, ...last });
    metrics.count('receivers-in-trouble');
  }
  return troubles;
}

async function write(
  { store, metrics }: SuppressDeps,
  { state, host, result, address, sender, troubles }: Refused & Context,
): Promise<void> {
  const reason = result.reply === null ? '' : shownReply(result.reply);
  const { job, updatedAt: at } = state;
  const status = result.reply?.enhanced ?? null;
  const bounce = { sender, at, reason, status, host, messageId: job.id };
  const key = suppressionRecord.key(address);
  await suppressionRecord.change(store, key, (found) => withBounce(found ?? emptyRecord(address), bounce, troubles));
  metrics.count('addresses-suppressed');
}

type Context = { readonly state: DeliveryState; readonly troubles: readonly Trouble[] };

/** An address that bounced before and now took mail exists. Only those of which the listener said so are asked for. */
async function clear({ store }: SuppressDeps, state: DeliveryState, forwardPath: string): Promise<void> {
  const address = parseAddress(forwardPath);
  if (askedRecipient(state, forwardPath)?.bouncedBefore !== true || isProblem(address)) return;
  const key = suppressionRecord.key(address);
  const stored = await suppressionRecord.read(store, key);
  if (stored === null) return;
  // If another process was faster, what it wrote is as new.
  await suppressionRecord.write(store, key, withoutBounces(stored.record), { ifMatch: stored.etag });
}
