// The list of mail, and one message. Everything that comes from a message goes into the document as text.
import { api, el, pairs, size, table, tag, time, verdictClass } from './page-dom.js';

const mailboxField = document.getElementById('mailbox');
const searchField = document.getElementById('q');

/** A link in a row goes where it leads, not where the row does. */
const stay = (clicked) => clicked.stopPropagation();

function messageRow(message) {
  const open = () => {
    location.hash = `#/mail/${message.id}`;
  };
  const copyLink = (mailbox, n) => [
    n > 0 ? ', ' : '',
    el('a', { class: 'plain', href: `#/mail/${message.id}/${encodeURIComponent(mailbox)}`, click: stay }, mailbox),
  ];
  return el(
    'tr',
    { class: 'row', click: open },
    el('td', { class: 'time' }, time(message.receivedAt)),
    el('td', {}, message.from ?? '(nobody)'),
    el('td', {}, message.mailboxes.map(copyLink)),
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

/** A page of the list; `go` shows another view. */
export async function showMail(go, after = null) {
  const query = new URLSearchParams({ limit: '50' });
  if (mailboxField.value.trim()) query.set('mailbox', mailboxField.value.trim());
  if (searchField.value.trim()) query.set('q', searchField.value.trim());
  if (after) query.set('after', after);
  const { messages, next } = await api(`/api/messages?${query}`);
  const rows = messages.map(messageRow);
  const more = next ? el('button', { type: 'button', click: () => go(() => showMail(go, next)) }, 'Older') : null;
  const isSearch = query.has('q') || query.has('mailbox');
  const nothing = isSearch ? 'No mail like that here.' : 'No mail here. What arrives shows up by itself.';
  if (rows.length === 0) return [el('p', { class: 'quiet' }, nothing), ...(more ? [more] : [])];
  return [
    table(['Received', 'From', 'Mailbox', 'Subject', 'DMARC', 'Size'], rows, { class: 'mail' }),
    ...(more ? [el('p', {}, more)] : []),
  ];
}

/** One message with its verdicts and its history; `mailbox` (percent-encoded) picks the copy. */
export async function showMessage(id, mailbox) {
  const path = `/api/messages/${id}`;
  const copy = mailbox ? `?mailbox=${mailbox}` : '';
  const [message, trace] = await Promise.all([api(`${path}${copy}`), api(`${path}/trace`)]);
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
      el('a', { href: `${path}${copy}`, target: '_blank' }, 'JSON'),
    ),
    ...bodyOf(message, { path, copy }),
    ...attachmentsOf(message, { path, copy }),
    ...problemsOf(message),
    ...verdictsOf(message),
    el('h3', {}, 'What happened to it'),
    ...history(trace),
    el('h3', {}, 'Headers'),
    el('pre', {}, message.headers.map(({ name, value }) => `${name}: ${value}`).join('\n')),
  ];
}

/** The history alone: of mail that only passes through, or has not landed. */
export async function showTrace(id) {
  const trace = await api(`/api/messages/${id}/trace`);
  return [
    el('h2', {}, `Message ${trace.id}`),
    el('p', {}, el('a', { href: `/api/messages/${id}/raw` }, 'Raw message')),
    ...history(trace),
  ];
}

function history({ events, where }) {
  const rows = events.map(({ at, text }) => el('tr', {}, el('td', { class: 'time' }, time(at)), el('td', {}, text)));
  return [table(['When', 'What'], rows), ...where.map((place) => el('p', { class: 'quiet' }, `Now: ${place}`))];
}

function sessionText({ clientIp, clientName, helo, tls, user }) {
  const parts = [
    clientName ? `${clientName} [${clientIp}]` : (clientIp ?? 'this service'),
    helo ? `helo ${helo}` : null,
  ];
  return [...parts, tls ? `${tls.version}` : 'no TLS', user ? `user ${user}` : null].filter(Boolean).join(', ');
}

function bodyOf({ text, html }, { path, copy }) {
  const views = [];
  if (html)
    views.push(
      el('iframe', {
        sandbox: '',
        referrerpolicy: 'no-referrer',
        title: 'HTML of the message',
        src: `${path}/html${copy}`,
      }),
    );
  if (typeof text === 'string') {
    const pre = el('pre', {}, text);
    views.push(html ? el('details', {}, el('summary', {}, 'Plain text'), pre) : pre);
  } else if (text) views.push(el('p', {}, el('a', { href: `${path}/text${copy}` }, `Plain text, ${size(text.bytes)}`)));
  return views.length > 0 ? views : [el('p', { class: 'quiet' }, '(no text)')];
}

function attachmentsOf({ attachments }, { path, copy }) {
  if (attachments.length === 0) return [];
  const items = attachments.map((part, n) =>
    el(
      'li',
      {},
      el('a', { href: `${path}/attachments/${n + 1}${copy}` }, part.filename),
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
