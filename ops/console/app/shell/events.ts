// Events from the server, over one connection for all tabs of a browser: the tab that holds the lock listens to /api/events
// and passes them on; when it closes, the next tab listens. A browser opens six connections to a host, so a connection for
// each tab would leave none to load with. Without locks (browsers have them on loopback and over HTTPS only) each tab polls.

const name = 'pillarbox-events';
const pollMs = 4_000;
/** An event that was missed (a laptop slept, a tab was frozen) shows after this time at the latest. */
const lookAgainMs = 60_000;

export type EventKind = 'message' | 'delivery' | 'deleted' | 'changed' | 'marked';
/** `connecting` and `broken` end by themselves. `polling`: there are no locks here. */
export type Connection = 'connecting' | 'live' | 'broken' | 'polling';
/** `event` null: anything may have changed. `data`: of the event. */
export type News = { readonly event: EventKind | null; readonly data: unknown };

type Listening = { readonly onNews: (news: News) => void; readonly onState: (state: Connection) => void };
/** What the tabs tell each other. */
type Said =
  | { readonly kind: 'ask' }
  | { readonly kind: 'state'; readonly state: Connection }
  | { readonly kind: 'news'; readonly news: News };

const kinds: readonly EventKind[] = ['message', 'delivery', 'deleted', 'changed', 'marked'];
const anything: News = { event: null, data: null };

/** Listens for as long as the tab is open. */
export function listen({ onNews, onState }: Listening): void {
  const lookAgain = () => onNews(anything);
  setInterval(lookAgain, lookAgainMs);
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && lookAgain());
  if (!('locks' in navigator && navigator.locks) || !globalThis.BroadcastChannel) {
    onState('polling');
    setInterval(lookAgain, pollMs);
    return;
  }
  const channel = new BroadcastChannel(name);
  const receive = (said: Said): void => {
    if (said.kind === 'state') onState(said.state);
    if (said.kind === 'news') onNews(said.news);
  };
  let answer = (): void => {};
  channel.addEventListener('message', ({ data }: MessageEvent<Said>) =>
    data.kind === 'ask' ? answer() : receive(data),
  );
  channel.postMessage({ kind: 'ask' } satisfies Said);
  void navigator.locks.request(name, () => {
    answer = listenForAll((said) => {
      channel.postMessage(said);
      receive(said);
    });
    return new Promise(() => {}); // the lock is released when the tab closes
  });
}

/** Listens for all tabs; answers a function that sends the state of the connection. */
function listenForAll(send: (said: Said) => void): () => void {
  let state: Connection = 'connecting';
  const changeState = (now: Connection): void => {
    state = now;
    send({ kind: 'state', state });
  };
  const connect = (): void => {
    const events = new EventSource('/api/events');
    events.addEventListener('open', () => {
      changeState('live');
      send({ kind: 'news', news: anything }); // what came while nobody listened
    });
    events.addEventListener('error', () => {
      changeState('broken');
      if (events.readyState !== EventSource.CLOSED) return; // it connects again by itself
      setTimeout(connect, pollMs); // refused: too many listen, or the token is another now
      send({ kind: 'news', news: anything });
    });
    for (const event of kinds) {
      events.addEventListener(event, ({ data }: MessageEvent<string>) =>
        send({ kind: 'news', news: { event, data: JSON.parse(data) } }),
      );
    }
  };
  connect();
  return () => send({ kind: 'state', state });
}
