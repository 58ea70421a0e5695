// Which view is shown, and when it is refreshed. The views are in the files beside this one.
// The address after `#` says what is shown: /mail, /mail/ID, /mail/ID/MAILBOX, /trace/ID, /queues, /deliveries,
// /deliveries/STATE, /activity.
import { showActivity } from './page-activity.js';
import { el } from './page-dom.js';
import { listen } from './page-events.js';
import { choose, goBack, noticeScroll, refreshMail, rememberMail, showMail } from './page-list.js';
import { showMessage, showTrace } from './page-mail.js';
import { keepPlace, merge } from './page-place.js';
import { showDeliveries, showQueues } from './page-work.js';

const main = document.getElementById('main');
const status = document.getElementById('status');
const sessionKey = 'pillarbox-scroll';
const refreshMs = 500;

/** Choices that are not in the address: the activity view's span, how many deliveries are shown. */
const chosen = { span: undefined, deliveries: undefined };
/** The address of what is shown. */
let shownHash = null;

function route() {
  const [, view = 'mail', id, mailbox] = location.hash.split('/');
  for (const link of document.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === `#/${view}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (view === 'queues') return () => showQueues(act);
  if (view === 'deliveries')
    return () => showDeliveries({ act, go: chooseIn('deliveries'), state: id, count: chosen.deliveries });
  if (view === 'activity') return () => showActivity(chooseIn('span'), chosen.span);
  if (view === 'trace' && id) return () => showTrace(encodeURIComponent(id));
  if (!id) return showMail;
  choose(id);
  return () => showMessage(encodeURIComponent(id), mailbox);
}

const isList = (hash) => /^(#(\/(mail\/?)?)?)?$/.test(hash);
const isMessage = (hash) => /^#\/(mail|trace)\/./.test(hash);

const chooseIn = (what) => (value) => {
  chosen[what] = value;
  void refresh();
};

/** Views take a while to make: only the latest is shown. */
let latest = 0;
/** Shows another view from its top, the list from where it was left. */
async function show(scrollTop = 0) {
  latest += 1;
  const mine = latest;
  if (shownHash !== null && isList(shownHash)) rememberMail();
  shownHash = null;
  const { hash } = location;
  const content = await made(route());
  if (mine !== latest) return;
  main.replaceChildren(...content);
  shownHash = hash;
  scrollTo({ top: scrollTop, behavior: 'instant' });
  if (!isList(hash)) return;
  goBack();
  refreshSoon(); // what came while the list was not shown
}

/** Makes the same view again: what is equal stays, and what is read does not move. */
async function refresh() {
  const mine = latest;
  if (shownHash === null) return;
  if (hasFailed) return show();
  if (isList(shownHash)) return refreshMail();
  const content = await made(route());
  if (mine === latest) keepPlace(() => merge(main, content));
}

/** What a view consists of, or why it could not be made. */
let hasFailed = false;
function made(make) {
  hasFailed = false;
  return make().catch((problem) => {
    hasFailed = true;
    return [el('p', { class: 'bad' }, problem.message)];
  });
}

async function act(run) {
  await run().catch(report);
  await refresh();
}

function report(problem) {
  status.textContent = problem.message;
}

/** At most one refresh every half second, however much mail comes in; the first at once. */
let isResting = false;
let isDue = false;
function refreshSoon() {
  if (isMessage(location.hash) && !hasFailed) return;
  isDue = isResting;
  if (isResting) return;
  isResting = true;
  refresh()
    .catch(report)
    .finally(() =>
      setTimeout(() => {
        isResting = false;
        if (isDue) refreshSoon();
      }, refreshMs),
    );
}

listen({ onNews: refreshSoon, onState: (message) => report({ message }) });

document.getElementById('search').addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  if (isList(location.hash)) void show();
  else location.hash = '#/mail';
});
window.addEventListener('hashchange', () => show());
window.addEventListener('scroll', noticeScroll, { passive: true });
window.addEventListener('pagehide', () => {
  if (isList(shownHash ?? '#none')) rememberMail();
  sessionStorage.setItem(sessionKey, JSON.stringify({ hash: shownHash, scrollTop: scrollY }));
});
history.scrollRestoration = 'manual'; // what is scrolled to is not there yet when the browser would do it
const before = JSON.parse(sessionStorage.getItem(sessionKey) ?? '{}');
void show(before.hash === location.hash ? before.scrollTop : 0);
