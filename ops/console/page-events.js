// Events from the server, over one connection for all tabs of a browser: the tab that holds the lock listens to /api/events
// and passes them on; when it closes, the next tab listens. A browser opens six connections to a host, so a connection for
// each tab would leave none to load with. Without locks (browsers have them on loopback and over HTTPS only) each tab polls.

const name = 'pillarbox-events';
const pollMs = 4_000;
/** An event that was missed (a laptop slept, a tab was frozen) shows after this time at the latest. */
const lookAgainMs = 60_000;

/** `onNews` is called when something may have changed, `onState` with the state of the connection in words. */
export function listen({ onNews, onState }) {
  setInterval(onNews, lookAgainMs);
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && onNews());
  if (!navigator.locks || !globalThis.BroadcastChannel) {
    onState(`looks for news every ${pollMs / 1_000} s`);
    setInterval(onNews, pollMs);
    return;
  }
  const channel = new BroadcastChannel(name);
  const receive = ({ state, isNews }) => {
    if (state) onState(state);
    if (isNews) onNews();
  };
  let answer = () => {};
  channel.addEventListener('message', ({ data }) => (data.asks ? answer() : receive(data)));
  channel.postMessage({ asks: true });
  void navigator.locks.request(name, () => {
    answer = listenForAll((message) => {
      channel.postMessage(message);
      receive(message);
    });
    return new Promise(() => {}); // the lock is released when the tab closes
  });
}

/** Listens for all tabs; answers a function that sends the state of the connection. */
function listenForAll(send) {
  let state = 'connecting …';
  const changeState = (now) => {
    state = now;
    send({ state });
  };
  const connect = () => {
    const events = new EventSource('/api/events');
    events.addEventListener('open', () => {
      changeState('live');
      send({ isNews: true }); // what came while nobody listened
    });
    events.addEventListener('error', () => {
      changeState('not connected, trying again …');
      if (events.readyState !== EventSource.CLOSED) return; // it connects again by itself
      setTimeout(connect, pollMs); // refused: too many listen, or the token is another now
      send({ isNews: true });
    });
    for (const event of ['message', 'delivery']) events.addEventListener(event, () => send({ isNews: true }));
  };
  connect();
  return () => send({ state });
}
