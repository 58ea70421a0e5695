// Tells EventBridge of stored mail. Events that come within a few milliseconds leave in one PutEvents of ten at most; each
// entry's own answer decides about its event.
import { type EventBridgeClient, PutEventsCommand, type PutEventsResultEntry } from '@aws-sdk/client-eventbridge';
import { type Announce, type MailEvent, mailEventSource, mailEventType } from '#pipeline/contract/mail-event.ts';
import { ownFault } from '#pipeline/run/own-fault.ts';
import { createCoalescer } from './coalescer.ts';

const maxEntries = 10;
/** Of all entries of a request together. */
const maxBytes = 262_144;
const lingerMs = 5;
/** What EventBridge counts besides the detail: source, type, time. */
const bytesBeside = mailEventSource.length + mailEventType.length + 14;

type Entry = { readonly json: string; readonly at: Date };

/** `bus`: the name of the event bus. `bucket`: where mail is. It rejects with an own fault if EventBridge did not take the event, also when asked again. */
export function createEventBus({
  client,
  bus,
  bucket,
}: {
  readonly client: Pick<EventBridgeClient, 'send'>;
  readonly bus: string;
  readonly bucket: string;
}): Announce {
  const put = async (entries: readonly Entry[]): Promise<readonly (string | null)[]> => {
    const { Entries: answers = [] } = await client.send(
      new PutEventsCommand({
        Entries: entries.map(({ json, at }) => ({
          EventBusName: bus,
          Source: mailEventSource,
          DetailType: mailEventType,
          Time: at,
          Detail: json,
        })),
      }),
    );
    return entries.map((_, n) => reasonOf(answers[n]));
  };
  const add = createCoalescer<Entry>({
    maxItems: maxEntries,
    maxBytes,
    lingerMs,
    sizeOf: ({ json }) => Buffer.byteLength(json) + bytesBeside,
    flush: async (entries) => {
      const first = await put(entries);
      const again = entries.filter((_, n) => first[n] !== null);
      const second = again.length === 0 ? [] : await put(again);
      return entries.map((entry, n) => {
        const reason = first[n] === null ? null : (second[again.indexOf(entry)] ?? null);
        return reason === null ? null : ownFault('aws', `EventBridge did not take an event: ${reason}`);
      });
    },
  });
  return (event: MailEvent) => add({ json: JSON.stringify({ ...event, bucket }), at: new Date(event.receivedAt) });
}

/** Why an entry was not taken; null if it was. */
function reasonOf(answer: PutEventsResultEntry | undefined): string | null {
  if (answer === undefined) return 'it gave no answer for it';
  if (answer.ErrorCode === undefined) return null;
  return `${answer.ErrorCode}: ${answer.ErrorMessage ?? 'no reason given'}`;
}
