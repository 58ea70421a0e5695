// The page's behaviour. Everything that comes from a message goes into the document as text, never as markup.
// The address after `#` says what is shown: /mail, /mail/ID, /queues, /deliveries.

const main = document.getElementById('main');
const status = document.getElementById('status');
const mailboxField = document.getElementById('mailbox');
const searchField = document.getElementById('q');

/** An element with children; a child that is text becomes a text node. */
function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(key, value);
    else if (value !== null) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

async function api(path, options = {}) {
  const response = await fetch(path, options);
  const body = await response.json();
  if (!response.ok && body.error) throw new Error(body.error.message);
  return body;
}

const time = (at) => el('time', { datetime: at, title: at }, new Date(at).toLocaleString());
const size = (bytes) =>
  bytes < 1024
    ? `${bytes} B`
    : bytes < 1048576
      ? `${(bytes / 1024).toFixed(1)} KiB`
      : `${(bytes / 1048576).toFixed(1)} MiB`;
const verdictClass = (word) => (word === 'pass' ? 'good' : /fail|error/.test(word) ? 'bad' : 'quiet');
const tag = (text, kind) => el('span', { class: `tag ${kind}` }, text);
const table = (heads, rows) =>
  el(
    'table',
    {},
    el(
      'thead',
      {},
      el(
        'tr',
        {},
        heads.map((head) => el('th', {}, head)),
      ),
    ),
    el('tbody', {}, rows),
  );
const pairs = (entries) =>
  el(
    'dl',
    {},
    entries.filter(([, value]) => value).flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]),
  );

// ── mail ────────────────────────────────────────────────────────────────────────────────────────────────

function messageRow(message) {
  const open = () => {
    location.hash = `#/mail/${message.id}`;
  };
  return el(
    'tr',
    { class: 'row', click: open },
    el('td', { class: 'time' }, time(message.receivedAt)),
    el('td', {}, message.from ?? '(nobody)'),
    el('td', {}, message.mailboxes.join(', ')),
    el(
      'td',
      {},
      message.disposition === 'quarantine' ? tag('quarantine', 'bad') : null,
      el('a', { href: `#/mail/${message.id}` }, message.subject || '(no subject)'),
      el('span', { class: 'quiet' }, ` ${message.preview}`),
    ),
    el('td', { class: verdictClass(message.authentication.dmarc) }, message.authentication.dmarc),
    el('td', { class: 'number' }, size(message.bytes), message.attachments ? ` · ${message.attachments} att.` : ''),
  );
}

async function showMail(after = null) {
  const query = new URLSearchParams({ limit: '50' });
  if (mailboxField.value.trim()) query.set('mailbox', mailboxField.value.trim());
  if (searchField.value.trim()) query.set('q', searchField.value.trim());
  if (after) query.set('after', after);
  const { messages, next } = await api(`/api/messages?${query}`);
  const rows = messages.map(messageRow);
  const more = next ? el('button', { type: 'button', click: () => show(() => showMail(next)) }, 'Older') : null;
  if (rows.length === 0)
    return [el('p', { class: 'quiet' }, 'No mail here. What arrives shows up by itself.'), ...(more ? [more] : [])];
  return [
    table(['Received', 'From', 'Mailbox', 'Subject', 'DMARC', 'Size'], rows),
    ...(more ? [el('p', {}, more)] : []),
  ];
}

async function showMessage(id) {
  const path = `/api/messages/${id}`;
  const [message, trace] = await Promise.all([api(path), api(`${path}/trace`)]);
  const who = (list) => list.map(({ name, address }) => (name ? `${name} <${address}>` : address)).join(', ');
  return [
    el('h2', {}, message.subject || '(no subject)'),
    pairs([
      ['From', who(message.from)],
      ['To', who(message.to)],
      ['Cc', who(message.cc)],
      ['Date', message.date ? time(message.date) : null],
      ['Mailbox', `${message.mailbox.localPart}@${message.mailbox.domain}`],
      ['Envelope', `<${message.envelope.reversePath}> → <${message.envelope.forwardPath}>`],
      ['Came from', sessionText(message.session)],
    ]),
    el(
      'p',
      {},
      el('a', { href: `${path}/raw` }, 'Raw message'),
      ' · ',
      el('a', { href: path, target: '_blank' }, 'JSON'),
    ),
    ...bodyOf(message, path),
    ...attachmentsOf(message, path),
    ...problemsOf(message),
    ...verdictsOf(message),
    el('h3', {}, 'What happened to it'),
    table(
      ['When', 'What'],
      trace.events.map((event) => el('tr', {}, el('td', { class: 'time' }, time(event.at)), el('td', {}, event.text))),
    ),
    el('p', { class: 'quiet' }, `Now: ${trace.where.join('; ')}`),
    el('h3', {}, 'Headers'),
    el('pre', {}, message.headers.map(({ name, value }) => `${name}: ${value}`).join('\n')),
  ];
}

function sessionText({ clientIp, clientName, helo, tls, user }) {
  const parts = [
    clientName ? `${clientName} [${clientIp}]` : (clientIp ?? 'this service'),
    helo ? `helo ${helo}` : null,
  ];
  return [...parts, tls ? `${tls.version}` : 'no TLS', user ? `user ${user}` : null].filter(Boolean).join(', ');
}

function bodyOf({ text, html }, path) {
  const views = [];
  if (html)
    views.push(
      el('iframe', { sandbox: '', referrerpolicy: 'no-referrer', title: 'HTML of the message', src: `${path}/html` }),
    );
  if (typeof text === 'string') {
    const pre = el('pre', {}, text);
    views.push(html ? el('details', {}, el('summary', {}, 'Plain text'), pre) : pre);
  } else if (text) views.push(el('p', {}, el('a', { href: `${path}/text` }, `Plain text, ${size(text.bytes)}`)));
  return views.length > 0 ? views : [el('p', { class: 'quiet' }, '(no text)')];
}

function attachmentsOf({ attachments }, path) {
  if (attachments.length === 0) return [];
  const items = attachments.map((part, n) =>
    el(
      'li',
      {},
      el('a', { href: `${path}/attachments/${n + 1}` }, part.filename),
      el('span', { class: 'quiet' }, ` ${part.contentType}, ${size(part.bytes)}`),
    ),
  );
  return [el('h3', {}, 'Attachments'), el('ul', {}, items)];
}

function problemsOf({ problems }) {
  if (problems.length === 0) return [];
  return [
    el('h3', {}, 'Problems'),
    el(
      'ul',
      {},
      problems.map(({ code, detail }) => el('li', {}, tag(code, 'bad'), detail)),
    ),
  ];
}

function verdictsOf({ authentication: { spf, dkim, dmarc, arc }, disposition }) {
  const row = (check, result, domain, reason) =>
    el(
      'tr',
      {},
      el('td', {}, check),
      el('td', { class: verdictClass(result) }, result),
      el('td', {}, domain ?? ''),
      el('td', {}, reason),
    );
  return [
    el('h3', {}, 'Who sent it'),
    el('p', {}, tag(disposition.action, disposition.action === 'accept' ? 'good' : 'bad'), disposition.reason),
    table(
      ['Check', 'Result', 'Domain', 'Why'],
      [
        row('SPF: may this server send for the envelope?', spf.result, spf.domain, spf.reason),
        ...dkim.map((one) => row('DKIM: is a signature intact?', one.result, one.domain, one.reason)),
        row('DMARC: does it fit the From that people see?', dmarc.result, dmarc.domain, dmarc.reason),
        row('ARC: what did forwarders attest?', arc.result, null, arc.reason),
      ],
    ),
  ];
}

// ── queues and deliveries ───────────────────────────────────────────────────────────────────────────────

async function showQueues() {
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
      el('td', {}, dead ? action('Try again', `/api/queues/${name}/redrive`) : ''),
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
    id ? el('a', { href: `#/mail/${id}` }, id) : '',
    ` after ${receiveCount} tries: ${reason}`,
  );
}

async function showDeliveries() {
  const { deliveries } = await api('/api/deliveries?limit=100');
  if (deliveries.length === 0) return [el('h2', {}, 'Deliveries'), el('p', { class: 'quiet' }, 'No outbound mail.')];
  const rows = deliveries.map(({ id, domain, state, attempts, nextAttemptAt, reason }) =>
    el(
      'tr',
      {},
      el('td', {}, el('a', { href: `/api/messages/${id}/trace` }, id)),
      el('td', {}, domain),
      el('td', {}, state, reason ? el('span', { class: 'quiet' }, ` ${reason}`) : ''),
      el('td', {}, String(attempts)),
      el('td', {}, nextAttemptAt ? time(nextAttemptAt) : ''),
      el('td', {}, nextAttemptAt ? action('Try now', `/api/deliveries/${id}/${encodeURIComponent(domain)}/retry`) : ''),
    ),
  );
  return [el('h2', {}, 'Deliveries'), table(['Message', 'To', 'State', 'Attempts', 'Next', ''], rows)];
}

function action(label, path) {
  const run = async () => {
    await api(path, { method: 'POST' }).catch(report);
    await show(route());
  };
  return el('button', { type: 'button', click: run }, label);
}

// ── what is shown ───────────────────────────────────────────────────────────────────────────────────────

function route() {
  const [, view = 'mail', id] = location.hash.split('/');
  for (const link of document.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === `#/${view}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (view === 'queues') return showQueues;
  if (view === 'deliveries') return showDeliveries;
  return id ? () => showMessage(encodeURIComponent(id)) : () => showMail();
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
    const isReading = /^#\/mail\/./.test(location.hash);
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
