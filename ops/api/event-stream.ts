// Server-sent events (WHATWG HTML §9.2): `message` for mail that landed, `delivery` for outbound mail that moved on.
// Only while somebody listens is anything read; a listener that does not keep up is cut off and connects again. These
// connections are long and counted here alone, in all and by address.
import type { ServerResponse } from 'node:http';
import { peerOf } from '#mail/address/peer-address.ts';
import { listed } from '#ops/messages/list-messages.ts';
import { parseDeliveryKey } from '#pipeline/contract/keys.ts';
import { deliveryRecord } from '#pipeline/contract/records/delivery.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import type { OpsDeps } from './ops-deps.ts';

const maxListeners = 200;
const maxPerAddress = 50;
const maxBehindBytes = 1_048_576;
const heartbeatMs = 15_000;
const maxWaiting = 5_000;
/** Objects read at once: those of a busy second must not queue up behind one another. */
const readTogether = 32;

export type EventStream = {
  /** Takes the response over; false where there are too many listeners already, in all or of its address. */
  readonly attach: (response: ServerResponse, headers: Readonly<Record<string, string>>) => boolean;
  readonly close: () => void;
};

/** See the file's head. */
export function createEventStream(deps: Pick<OpsDeps, 'admin' | 'store' | 'log' | 'metrics'>): EventStream {
  const listeners = new Map<ServerResponse, { readonly group: string; wasBehind: boolean }>();
  const waiting: string[] = [];
  let stopWatching: (() => void) | null = null;
  let isTelling = false;

  const send = (text: string): void => {
    for (const listener of listeners.keys()) {
      listener.write(text);
      if (listener.writableLength > maxBehindBytes) cut(listener);
    }
  };
  const cut = (listener: ServerResponse): void => {
    deps.metrics.count('ops-connections-closed', { reason: 'not-reading' });
    listener.destroy();
  };
  const read = (key: string): Promise<string | null> =>
    eventOf(deps, key).catch((thrown: unknown) => {
      deps.log.warn('ops-event-lost', { key, ...errorFields(thrown) });
      return null;
    });
  const tell = async (): Promise<void> => {
    if (isTelling) return;
    isTelling = true;
    while (waiting.length > 0) {
      const events = await Promise.all(waiting.splice(0, readTogether).map(read));
      const text = events.filter((event) => event !== null).join('');
      if (text !== '') send(text);
    }
    isTelling = false;
  };
  const watch = (key: string): void => {
    if (waiting.length < maxWaiting) waiting.push(key);
    void tell();
  };
  const beat = (): void => {
    for (const [listener, state] of listeners) {
      const isBehind = listener.writableLength > 0;
      if (isBehind && state.wasBehind) cut(listener);
      state.wasBehind = isBehind;
    }
    send(': still here\n\n');
  };
  const heartbeat = setInterval(beat, heartbeatMs);
  heartbeat.unref();
  const leave = (response: ServerResponse): void => {
    listeners.delete(response);
    if (listeners.size > 0) return;
    stopWatching?.();
    stopWatching = null;
  };
  return {
    attach: (response, headers) => {
      const { group } = peerOf(response.socket?.remoteAddress ?? '');
      const ofAddress = [...listeners.values()].filter((other) => other.group === group).length;
      if (listeners.size >= maxListeners || ofAddress >= maxPerAddress) return false;
      listeners.set(response, { group, wasBehind: false });
      response.on('close', () => leave(response));
      stopWatching ??= deps.admin.watch(watch);
      response.shouldKeepAlive = false; // the connection was counted as a listener's: it ends with the stream
      response.writeHead(200, { ...headers, 'content-type': 'text/event-stream; charset=utf-8' });
      response.write('retry: 2000\n\n');
      return true;
    },
    close: () => {
      clearInterval(heartbeat);
      for (const listener of listeners.keys()) listener.end();
      stopWatching?.();
    },
  };
}

async function eventOf({ store, admin }: Pick<OpsDeps, 'store' | 'admin'>, key: string): Promise<string | null> {
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
