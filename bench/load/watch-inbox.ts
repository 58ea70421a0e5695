// When each message's JSON was there, as a consumer of the event stream sees it.

/** `storedAt`: by message id, in milliseconds of `performance.now()`, so far. */
export type InboxWatch = {
  readonly storedAt: ReadonlyMap<string, number>;
  readonly stop: () => Promise<void>;
};

/** Listens to the operations API of a service from now on. Rejects where that has no event stream. */
export async function watchInbox(api: string): Promise<InboxWatch> {
  const storedAt = new Map<string, number>();
  const abort = new AbortController();
  const events = await fetch(`${api}/api/events`, { signal: abort.signal });
  const reading = readIds(events, (id) => {
    if (!storedAt.has(id)) storedAt.set(id, performance.now());
  }).catch(() => undefined);
  return {
    storedAt,
    stop: async () => {
      abort.abort();
      await reading;
    },
  };
}

/** The message id that a 250 names. */
export function acceptedId(reply: string): string {
  return reply.trim().split(' ').at(-1) ?? '';
}

async function readIds(events: Response, onId: (id: string) => void): Promise<void> {
  if (events.body === null) throw new Error('no event stream');
  let text = '';
  for await (const chunk of events.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const complete = text.lastIndexOf('\n\n');
    for (const [, id] of text.slice(0, Math.max(0, complete)).matchAll(/"id":"([0-9A-Z]{26})"/g)) if (id) onId(id);
    if (complete >= 0) text = text.slice(complete);
  }
}
