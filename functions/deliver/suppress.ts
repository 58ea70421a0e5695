// Addresses that do not exist are not written to again: a peer that refused the address itself puts it on the list the
// listener asks. Only the address: not the sender, the content, a full mailbox or the peer's mood.
import { parseAddress } from '#mail/address.ts';
import { isProblem } from '#mail/problem.ts';
import type { DeliveryAttempt, DeliveryState, HostTry } from '#pipeline/delivery-state.ts';
import { suppressionKey } from '#pipeline/keys.ts';
import type { Metrics, ObjectStore } from '#pipeline/ports.ts';

export type SuppressDeps = { readonly store: Pick<ObjectStore, 'put'>; readonly metrics: Metrics };

/** RFC 3463 §3.2: bad mailbox, bad syntax of it, moved without forwarding; RFC 7505: the recipient's domain takes none. */
const hardStatuses = new Set(['5.1.1', '5.1.6']);
const hardWords =
  /\b(?:no such (?:user|mailbox|recipient|address|person)|(?:user|recipient|mailbox|address|account)(?: \S+){0,3} (?:unknown|does not exist|doesn't exist|not found|not exist)|unknown (?:user|recipient|mailbox|address|local part)|invalid (?:recipient|mailbox))\b/i;

/** Writes down the addresses that an attempt's hosts called non-existent; one that is on the list already stays as it is. */
export async function suppress(deps: SuppressDeps, state: DeliveryState, attempt: DeliveryAttempt): Promise<void> {
  const bounced = new Set(
    state.recipients.filter((recipient) => recipient.state === 'bounced').map((r) => r.forwardPath),
  );
  for (const host of attempt.hosts) {
    for (const result of host.recipients) {
      if (!bounced.has(result.forwardPath) || !isHardBounce(result)) continue;
      await write(deps, { state, host, result });
    }
  }
}

/** Whether a peer's answer means that the address does not exist. */
export function isHardBounce({ outcome, stage, reply }: HostTry['recipients'][number]): boolean {
  if (outcome !== 'refused' || stage !== 'rcpt' || reply === null) return false;
  if (reply.enhanced !== null) return hardStatuses.has(reply.enhanced);
  return (reply.code === 550 || reply.code === 551 || reply.code === 553) && hardWords.test(reply.text);
}

type Refused = {
  readonly state: DeliveryState;
  readonly host: HostTry;
  readonly result: HostTry['recipients'][number];
};

async function write({ store, metrics }: SuppressDeps, { state, host, result }: Refused): Promise<void> {
  const address = parseAddress(result.forwardPath);
  if (isProblem(address)) return;
  const record = {
    schema: 'suppression/1',
    address: result.forwardPath,
    at: state.updatedAt,
    messageId: state.job.id,
    host: host.host,
    reason: [result.reply?.code, result.reply?.enhanced, result.reply?.text].filter((part) => part).join(' '),
  };
  const written = await store.put({
    key: suppressionKey({ domain: address.domain, localPart: address.localPart.toLowerCase() }),
    body: Buffer.from(JSON.stringify(record)),
    contentType: 'application/json',
    condition: { ifAbsent: true },
  });
  if (written.outcome === 'stored') metrics.count('addresses-suppressed');
}
