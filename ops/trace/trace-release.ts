// What people released, as events of a trace: a message taken out of quarantine, one that was sent on to real addresses, and the copy
// that was sent.
import type { MessageId } from '#mail/header/message-id.ts';
import { receivedAtOf } from '#mail/header/message-id.ts';
import type { MailDeps } from '#ops/deps.ts';
import type { ReleasedCopy } from '#ops/releases/released-copy.ts';
import { parseMessageKey } from '#pipeline/contract/keys.ts';
import { type InboxMessage, inboxMessageRecord } from '#pipeline/contract/records/inbox-message.ts';
import { marksRecord } from '#pipeline/contract/records/marks.ts';
import type { TraceEvent } from './trace-event.ts';

type Deps = Pick<MailDeps, 'store'>;

/** Copies of a message that are read for it. */
const readAtMost = 32;

/** One for each time that the message was sent on; none if its marks cannot be read. */
export async function releaseEvents({ store }: Deps, id: MessageId): Promise<readonly TraceEvent[]> {
  const marks = await marksRecord.find(store, marksRecord.key({ id, receivedAt: receivedAtOf(id) }));
  return (marks?.releases ?? []).map((release) => ({
    at: release.at,
    event: 'released',
    text: `released by ${release.by} to ${release.to.join(', ')}: see the trace of its copy, ${release.id}`,
    details: release,
  }));
}

/** How a copy that was sent on came to be. */
export function copyEvent(at: string, { of, by }: ReleasedCopy, details: TraceEvent['details']): TraceEvent {
  return { at, event: 'released', text: `released by ${by}: a copy of message ${of}`, details: { of, by, ...details } };
}

/** One for each mailbox whose inbox has the message because a person put it there, up to 32 of them. */
export async function acceptEvents(
  { store }: Deps,
  keys: readonly string[],
  known: InboxMessage | null,
): Promise<readonly TraceEvent[]> {
  const inInbox = keys.filter((key) => parseMessageKey(key)?.folder === 'inbox').slice(0, readAtMost);
  const isKnown = keys.length === 1 && known !== null;
  const copies = isKnown ? [known] : await Promise.all(inInbox.map((key) => inboxMessageRecord.find(store, key)));
  return copies.flatMap((copy): TraceEvent[] => {
    const released = copy?.disposition.released;
    if (copy === null || released === undefined) return [];
    const mailbox = `${copy.mailbox.localPart}@${copy.mailbox.domain}`;
    const text = `released from quarantine by ${released.by}, into the inbox of ${mailbox}`;
    return [{ at: released.at, event: 'released', text, details: { mailbox, ...released } }];
  });
}
