// What is under way: queues, what was given up on them, and outbound mail.
import { api, el, table, tag, time } from './page-dom.js';

const stateClass = { delivered: 'good', bounced: 'bad', partial: 'bad' };

/** The queues and what was given up on them; `act` does something and shows the view again. */
export async function showQueues(act) {
  const [queues, health] = await Promise.all([
    api('/api/queues'),
    fetch('/health').then((response) => response.json()),
  ]);
  const rows = queues.map(({ name, ready, delayed, inFlight, dead, oldestSeconds }) =>
    el(
      'tr',
      {},
      [name, ready, delayed, inFlight].map((value) => el('td', {}, String(value))),
      el('td', { class: dead ? 'bad' : '' }, String(dead)),
      el('td', {}, oldestSeconds === null ? '' : `${Math.round(oldestSeconds)} s`),
      el('td', {}, dead ? button('Try again', act, `/api/queues/${name}/redrive`) : ''),
    ),
  );
  const dead = await Promise.all(
    queues.filter((queue) => queue.dead).map(({ name }) => api(`/api/queues/${name}/dead?limit=20`)),
  );
  return [
    el('h2', {}, 'Queues'),
    el(
      'p',
      { class: health.status === 'ok' ? 'good' : 'bad' },
      `Health: ${[health.status, ...health.problems].join(', ')}`,
    ),
    table(['Queue', 'Ready', 'Due later', 'In work', 'Given up', 'Longest wait', ''], rows),
    ...dead.flatMap(({ queue, dead: letters }) => [
      el('h3', {}, `Given up on ${queue}`),
      el('ul', {}, letters.map(deadLetter)),
    ]),
  ];
}

function deadLetter({ id, reason, receiveCount, diedAt }) {
  return el(
    'li',
    {},
    time(diedAt),
    ' ',
    id ? el('a', { href: `#/trace/${id}` }, id) : '',
    ` after ${receiveCount} tries: ${reason}`,
  );
}

/** Outbound mail, newest first. */
export async function showDeliveries(act) {
  const { deliveries } = await api('/api/deliveries?limit=100');
  if (deliveries.length === 0) return [el('h2', {}, 'Deliveries'), el('p', { class: 'quiet' }, 'No outbound mail.')];
  const rows = deliveries.map(({ id, domain, state, attempts, nextAttemptAt, reason }) =>
    el(
      'tr',
      {},
      el('td', { class: 'id' }, el('a', { href: `#/trace/${id}` }, id)),
      el('td', { class: 'id' }, domain),
      el(
        'td',
        {},
        tag(state, stateClass[state] ?? 'quiet'),
        reason ? el('span', { class: 'quiet' }, ` ${reason}`) : '',
      ),
      el('td', {}, String(attempts)),
      el('td', { class: 'time' }, nextAttemptAt ? time(nextAttemptAt) : ''),
      el(
        'td',
        {},
        nextAttemptAt ? button('Try now', act, `/api/deliveries/${id}/${encodeURIComponent(domain)}/retry`) : '',
      ),
    ),
  );
  return [el('h2', {}, 'Deliveries'), table(['Message', 'To', 'State', 'Attempts', 'Next', ''], rows)];
}

function button(label, act, path) {
  return el('button', { type: 'button', click: () => act(() => api(path, { method: 'POST' })) }, label);
}
