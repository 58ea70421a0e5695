// The page's behaviour: which view is shown, and when it is shown anew. The views are in the files beside it.
// The address after `#` says what is shown: /mail, /mail/ID, /mail/ID/MAILBOX, /trace/ID, /queues, /deliveries,
// /deliveries/STATE, /activity.
import { showActivity } from './page-activity.js';
import { el } from './page-dom.js';
import { showMail, showMessage, showTrace } from './page-mail.js';
import { showDeliveries, showQueues } from './page-work.js';

const main = document.getElementById('main');
const status = document.getElementById('status');

/** The activity view's span: the one thing that is chosen and is in no address. */
let span;

function route() {
  const [, view = 'mail', id, mailbox] = location.hash.split('/');
  for (const link of document.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === `#/${view}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (view === 'queues') return () => showQueues(act);
  if (view === 'deliveries') return () => showDeliveries({ act, go: show, state: id });
  if (view === 'activity') return () => showActivity(choose, span);
  if (view === 'trace' && id) return () => showTrace(encodeURIComponent(id));
  return id ? () => showMessage(encodeURIComponent(id), mailbox) : () => showMail(show);
}

function choose(name) {
  span = name;
  void show(route());
}

let shown = 0;
async function show(make) {
  shown += 1;
  const turn = shown;
  try {
    const content = await make();
    if (turn === shown) main.replaceChildren(...content);
  } catch (problem) {
    if (turn === shown) main.replaceChildren(el('p', { class: 'bad' }, problem.message));
  }
}

async function act(run) {
  await run().catch(report);
  await show(route());
}

function report(problem) {
  status.textContent = problem.message;
}

/** At most one refresh every half second, however much mail comes in. */
let isRefreshDue = false;
function refreshSoon() {
  if (isRefreshDue) return;
  isRefreshDue = true;
  setTimeout(() => {
    isRefreshDue = false;
    const isReading = /^#\/(mail|trace)\/./.test(location.hash);
    if (!isReading && document.visibilityState === 'visible' && scrollY < 400) void show(route());
  }, 500);
}

const events = new EventSource('/api/events');
events.addEventListener('open', () => report({ message: 'live' }));
events.addEventListener('error', () => report({ message: 'not connected, trying again …' }));
for (const name of ['message', 'delivery']) events.addEventListener(name, refreshSoon);

document.getElementById('search').addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  if (location.hash === '#/mail') void show(route());
  else location.hash = '#/mail';
});
window.addEventListener('hashchange', () => show(route()));
void show(route());
