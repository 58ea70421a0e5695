// The queues with their dead letters, outbound mail, and the suppressed addresses.
import { api, aside, el, note, table, tag, td, time, words } from './page-dom.js';

const stateClass = { delivered: 'good', bounced: 'bad', partial: 'bad' };

/** The queues and their dead letters; `act` does something and shows the view again. */
export async function showQueues(act) {
  const [queues, health] = await Promise.all([
    api('/api/queues'),
    fetch('/health').then((response) => response.json()),
  ]);
  const rows = queues.map(({ name, ready, delayed, inFlight, dead, oldestSeconds }) =>
    el(
      'tr',
      { 'data-id': name },
      [name, ready, delayed, inFlight].map((value) => td(String(value))),
      td(String(dead), dead ? 'bad' : ''),
      td(oldestSeconds === null ? '' : `${Math.round(oldestSeconds)} s`),
      td(dead ? button('Try again', act, `/api/queues/${name}/redrive`) : ''),
    ),
  );
  const dead = await Promise.all(
    queues.filter((queue) => queue.dead).map(({ name }) => api(`/api/queues/${name}/dead?limit=20`)),
  );
  const healthText = [health.status, ...health.problems].join(', ');
  return [
    el('h2', {}, 'Queues'),
    el('p', { class: health.status === 'ok' ? 'good' : 'bad' }, `Health: ${healthText}`),
    table(['Queue', 'Ready', 'Delayed', 'In flight', 'Dead letters', 'Longest wait', ''], rows, { class: 'work' }),
    ...dead.flatMap(({ queue, dead: letters }) => [
      el('h3', {}, `Dead letters of ${queue}`),
      el('ul', {}, letters.map(deadLetter)),
    ]),
  ];
}

function deadLetter({ id, reason, receiveCount, diedAt }) {
  const link = id ? traceLink(id) : '';
  return el('li', {}, time(diedAt), ' ', link, ` after ${receiveCount} tries: `, words(reason));
}

const traceLink = (id) => el('a', { href: `#/trace/${id}` }, id);

const states = ['waiting', 'sending', 'delivered', 'partial', 'bounced'];

const pageSize = 100;
const maxPageSize = 500;

/** Outbound mail, newest first, at least `count` of it, and the suppressed addresses; `go` shows more. */
export async function showDeliveries({ act, go, state, count = pageSize }) {
  const [{ deliveries, next }, { suppressions }] = await Promise.all([
    readDeliveries(state, count),
    api('/api/suppressions?limit=100'),
  ]);
  const choices = [undefined, ...states].map((one) => stateLink(one, state));
  const rows = deliveries.map((one) => deliveryRow(one, act));
  const older = () => go(deliveries.length + pageSize);
  return [
    el('h2', {}, 'Deliveries'),
    el('p', { class: 'choices' }, choices),
    rows.length === 0
      ? note(state ? `No outbound mail is ${state}.` : 'No outbound mail.')
      : table(['Message', 'To', 'State', 'Attempts', 'Next', ''], rows, { class: 'work' }),
    ...(next ? [el('p', {}, el('button', { type: 'button', click: older }, 'Older'))] : []),
    ...suppressed(suppressions, act),
  ];
}

async function readDeliveries(state, count) {
  const deliveries = [];
  let next = null;
  do {
    const query = new URLSearchParams({ limit: String(Math.min(maxPageSize, count - deliveries.length)) });
    if (state) query.set('state', state);
    if (next) query.set('after', next);
    const page = await api(`/api/deliveries?${query}`);
    deliveries.push(...page.deliveries);
    next = page.next;
    if (page.deliveries.length === 0) break;
  } while (next && deliveries.length < count);
  return { deliveries, next };
}

function stateLink(state, shown) {
  const isShown = state === (shown || undefined);
  const href = state ? `#/deliveries/${state}` : '#/deliveries';
  return el('a', { href, 'aria-current': isShown ? 'true' : null }, state ?? 'all');
}

function deliveryRow({ id, domain, recipients, state, attempts, nextAttemptAt, reason }, act) {
  const path = `/api/deliveries/${id}/${encodeURIComponent(domain)}/retry`;
  const to = recipients.length === 1 ? recipients[0] : `${recipients.length} at ${domain}`;
  return el(
    'tr',
    { 'data-id': `${id} ${domain}` },
    td(traceLink(id), 'id'),
    el('td', { title: recipients.join('\n') }, words(to)),
    td([tag(state, stateClass[state] ?? 'quiet'), reason ? aside(words(reason)) : '']),
    td(String(attempts)),
    td(nextAttemptAt ? time(nextAttemptAt) : '', 'time'),
    td(nextAttemptAt ? button('Try now', act, path) : ''),
  );
}

function suppressed(suppressions, act) {
  if (suppressions.length === 0) return [];
  const rows = suppressions.map(({ address, sender, since, until, reason }) => {
    const path = `/api/suppressions/${encodeURIComponent(address)}?sender=${encodeURIComponent(sender)}`;
    return el(
      'tr',
      { 'data-id': `${address} ${sender}` },
      td([words(address), reason ? aside(words(reason)) : '']),
      td(sender === '*' ? 'all' : sender),
      td(time(since), 'time'),
      td(until ? time(until) : 'removed', 'time'),
      td(button('Write to it again', act, path, 'DELETE')),
    );
  });
  return [
    el('h3', {}, 'Suppressed addresses'),
    note('No mail is sent to them: their hosts refused it for good, or an operator put them on this list.'),
    table(['Address', 'For mail from', 'Since', 'Until', ''], rows, { class: 'work' }),
  ];
}

function button(label, act, path, method = 'POST') {
  return el('button', { type: 'button', 'data-path': path, click: () => act(() => api(path, { method })) }, label);
}
