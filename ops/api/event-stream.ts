// Server-sent events (WHATWG HTML §9.2): `message` for mail delivered to a mailbox, `delivery` for outbound mail whose state
// changed. Objects are read only while there are listeners. A listener that reads too slowly is cut off, and connects again.
// These connections are long, and limited here alone, in all and by address.
import { ByteLengthQueuingStrategy, ReadableStream, type ReadableStreamDefaultController } from 'node:stream/web';
import { peerOf } from '#mail/address/peer-address.ts';
import type { OpsAdmin } from '#ops/admin.ts';
import type { MailDeps } from '#ops/deps.ts';
import { listed } from '#ops/messages/list-messages.ts';
import { parseDeliveryKey } from '#pipeline/contract/keys.ts';
import type { Log, Metrics } from '#pipeline/contract/ports.ts';
import { deliveryRecord } from '#pipeline/contract/records/delivery.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import { type Answer, refusal, withHeaders } from './answer.ts';
import type { UseCase } from './use-case.ts';

const maxListeners = 200;
const maxPerAddress = 50;
const maxBehindBytes = 1_048_576;
const heartbeatMs = 15_000;
const maxWaiting = 5_000;
const readTogether = 32;

type Deps = Pick<MailDeps, 'store'> & {
  readonly admin: OpsAdmin;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'count'>;
};

export type EventStream = {
  /** The events for a caller from this address; 503 if there are too many listeners already, in all or of its address. */
  readonly listen: (from: string) => Answer;
  readonly close: () => void;
};

type Listener = {
  readonly group: string;
  readonly stream: ReadableStreamDefaultController<Uint8Array>;
  wasBehind: boolean;
};

const eventStream = 'text/event-stream; charset=utf-8';

/** Takes any parameters. */
export const streamEvents: UseCase<{ readonly events: EventStream }> = {
  about: 'new mail and deliveries as they happen (server-sent events)',
  takes: null,
  gives: eventStream,
  status: 200,
  answer: ({ events }, { from }) => events.listen(from),
};

export function createEventStream(deps: Deps): EventStream {
  const listeners = new Set<Listener>();
  const waiting: string[] = [];
  let stopWatching: (() => void) | null = null;
  let isPublishing = false;

  const leave = (listener: Listener): void => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    stopWatching?.();
    stopWatching = null;
  };
  const cut = (listener: Listener): void => {
    deps.metrics.count('ops-connections-closed', { reason: 'not-reading' });
    listener.stream.error(new DOMException('the listener does not read', 'AbortError'));
    leave(listener);
  };
  const send = (text: string): void => {
    const chunk = Buffer.from(text);
    for (const listener of listeners) {
      listener.stream.enqueue(chunk);
      if (behindBytes(listener) > maxBehindBytes) cut(listener);
    }
  };
  const read = (key: string): Promise<string | null> =>
    eventOf(deps, key).catch((thrown: unknown) => {
      deps.log.warn('ops-event-lost', { key, ...errorFields(thrown) });
      return null;
    });
  const publish = async (): Promise<void> => {
    if (isPublishing) return;
    isPublishing = true;
    while (waiting.length > 0) {
      const events = await Promise.all(waiting.splice(0, readTogether).map(read));
      const text = events.filter((event) => event !== null).join('');
      if (text !== '') send(text);
    }
    isPublishing = false;
  };
  const watch = (key: string): void => {
    if (waiting.length < maxWaiting) waiting.push(key);
    void publish();
  };
  const beat = (): void => {
    for (const listener of listeners) {
      const isBehind = behindBytes(listener) > 0;
      if (isBehind && listener.wasBehind) cut(listener);
      listener.wasBehind = isBehind;
    }
    send(': still here\n\n');
  };
  const heartbeat = setInterval(beat, heartbeatMs);
  heartbeat.unref();
  return {
    listen: (from) => {
      const { group } = peerOf(from);
      const ofAddress = [...listeners].filter((other) => other.group === group).length;
      if (listeners.size >= maxListeners || ofAddress >= maxPerAddress) return tooManyListeners();
      deps.log.info('ops-events-listener');
      stopWatching ??= deps.admin.watch(watch);
      const body = streamTo((stream) => {
        const listener = { group, stream, wasBehind: false };
        listeners.add(listener);
        return () => leave(listener);
      });
      return { status: 200, headers: { 'content-type': eventStream }, body };
    },
    close: () => {
      clearInterval(heartbeat);
      for (const listener of listeners) listener.stream.close();
      stopWatching?.();
    },
  };
}

/** Buffers up to `maxBehindBytes`. `join` gets the stream at once, and returns what to do after its reader has left. */
function streamTo(join: (stream: Listener['stream']) => () => void): ReadableStream<Uint8Array> {
  let leave = (): void => {};
  return new ReadableStream<Uint8Array>(
    {
      start: (stream) => {
        stream.enqueue(Buffer.from('retry: 2000\n\n'));
        leave = join(stream);
      },
      cancel: () => leave(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: maxBehindBytes }),
  );
}

function behindBytes({ stream }: Listener): number {
  return maxBehindBytes - (stream.desiredSize ?? 0);
}

function tooManyListeners(): Answer {
  const answer = refusal(503, 'too-many-listeners', 'too many listen to events already');
  return withHeaders(answer, { 'retry-after': '10' });
}

async function eventOf({ store, admin }: Pick<Deps, 'store' | 'admin'>, key: string): Promise<string | null> {
  const about = parseDeliveryKey(key);
  if (about !== null) {
    const stored = await deliveryRecord.read(store, key, () => null);
    return stored === null ? null : eventText('delivery', { ...about, state: stored.record?.state ?? null });
  }
  const summary = await admin.summary(key);
  return summary === null ? null : eventText('message', listed([summary]));
}

function eventText(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
