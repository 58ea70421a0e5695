// News from the server, over one connection a browser: of all tabs the one that holds the lock listens to /api/events and
// tells the others; when it closes, the next in line listens. Browsers have six connections for a host, so tabs that
// listened each for itself would leave none to load with. Where there are no locks (a browser has them on loopback and over
// HTTPS only), a tab asks every few seconds instead.

const name = 'pillarbox-events';
const pollMs = 4_000;
/** Something that was missed (a laptop slept, a tab was frozen) shows after this time at the latest. */
const lookAgainMs = 60_000;

/** `onNews` is told when something may have changed, `onState` in words how the page hears of it. */
export function listen({ onNews, onState }) {
  setInterval(onNews, lookAgainMs);
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && onNews());
  if (!navigator.locks || !globalThis.BroadcastChannel) {
    onState(`looks for news every ${pollMs / 1_000} s`);
    setInterval(onNews, pollMs);
    return;
  }
  const channel = new BroadcastChannel(name);
  const hear = ({ state, isNews }) => {
    if (state) onState(state);
    if (isNews) onNews();
  };
  let answer = () => {};
  channel.addEventListener('message', ({ data }) => (data.asks ? answer() : hear(data)));
  channel.postMessage({ asks: true });
  void navigator.locks.request(name, () => {
    const tell = (told) => {
      channel.postMessage(told);
      hear(told);
    };
    answer = lead(tell);
    return new Promise(() => {}); // the lock is given back when the tab closes
  });
}

/** Listens for all tabs; answers what tells a new one how things are. */
function lead(tell) {
  let state = 'connecting …';
  const say = (now) => {
    state = now;
    tell({ state });
  };
  const connect = () => {
    const events = new EventSource('/api/events');
    events.addEventListener('open', () => {
      say('live');
      tell({ isNews: true }); // what came while nobody listened
    });
    events.addEventListener('error', () => {
      say('not connected, trying again …');
      if (events.readyState !== EventSource.CLOSED) return; // it connects again by itself
      setTimeout(connect, pollMs); // refused: too many listen, or the token is another now
      tell({ isNews: true });
    });
    for (const event of ['message', 'delivery']) events.addEventListener(event, () => tell({ isNews: true }));
  };
  connect();
  return () => tell({ state });
}
