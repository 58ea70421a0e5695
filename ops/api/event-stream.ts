// Server-sent events (WHATWG HTML §9.2): `message` for mail delivered to a mailbox, `delivery` for outbound mail whose state
// changed, `marked` for read state and tags, `deleted` for messages that are in no mailbox any more, `changed` for those that lost a copy
// and have others. Objects are read only while there are listeners. A listener that reads too slowly is cut off, and connects again. These connections are long, and limited here alone, in all and by
// address.
import { ByteLengthQueuingStrategy, ReadableStream, type ReadableStreamDefaultController } from 'node:stream/web';
import { peerOf } from '#mail/address/peer-address.ts';
import type { Log, Metrics } from '#pipeline/contract/ports.ts';
import { type Answer, refusal, withHeaders } from './answer.ts';
import { type MailEventDeps, watchMail } from './mail-events.ts';
import type { UseCase } from './use-case.ts';

const maxListeners = 200;
const maxPerAddress = 50;
const maxBehindBytes = 1_048_576;
const heartbeatMs = 15_000;

type Deps = MailEventDeps & { readonly log: Log; readonly metrics: Pick<Metrics, 'count'> };

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
  about: 'new mail, deliveries, marks and deletions as they happen (server-sent events)',
  takes: null,
  gives: eventStream,
  status: 200,
  refuses: ['too-many-listeners'],
  answer: ({ events }, { from }) => events.listen(from),
};

export function createEventStream(deps: Deps): EventStream {
  const listeners = new Set<Listener>();
  let stopWatching: (() => void) | null = null;

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
      stopWatching ??= watchMail(deps, send);
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
