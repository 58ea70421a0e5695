// One message. All that it holds goes into the document as text.
import { api, aside, el, note, pairs, person, size, table, tag, td, time, verdictClass, words } from './page-dom.js';
import { visibleText } from './page-text.js';

/** One message with its verdicts and its history; `mailbox` (percent-encoded) picks the copy. */
export async function showMessage(id, mailbox) {
  const base = `/api/messages/${id}`;
  const copy = mailbox ? `?mailbox=${mailbox}` : '';
  const [message, trace] = await Promise.all([api(`${base}${copy}`), api(`${base}/trace`)]);
  return [
    el('h2', {}, words(message.subject || '(no subject)')),
    pairs([
      ['From', people(message.from)],
      ['To', people(message.to)],
      ['Cc', people(message.cc)],
      ['Date', message.date ? time(message.date) : null],
      ['Mailbox', words(`${message.mailbox.localPart}@${message.mailbox.domain}`)],
      ['Envelope', [path(message.envelope.reversePath), ' → ', path(message.envelope.forwardPath)]],
      ['Came from', sessionText(message.session)],
    ]),
    el('p', {}, rawLink(base), ' · ', el('a', { href: `${base}${copy}`, target: '_blank' }, 'JSON')),
    ...bodyOf(message, { path: base, copy }),
    ...attachmentsOf(message, { path: base, copy }),
    ...problemsOf(message),
    ...verdictsOf(message),
    el('h3', {}, 'What happened to it'),
    ...history(trace),
    el('h3', {}, 'Headers'),
    el('pre', { class: 'text' }, message.headers.map(({ name, value }) => `${name}: ${value}`).join('\n')),
  ];
}

/** The history alone, for mail that is in no mailbox. */
export async function showTrace(id) {
  const trace = await api(`/api/messages/${id}/trace`);
  return [el('h2', {}, `Message ${trace.id}`), el('p', {}, rawLink(`/api/messages/${id}`)), ...history(trace)];
}

const rawLink = (base) => el('a', { href: `${base}/raw` }, 'Raw message');

function history({ events, where }) {
  const rows = events.map(({ at, text }) => el('tr', {}, td(time(at), 'time'), td(text)));
  return [table(['When', 'What'], rows), ...where.map((place) => note(`Now: ${place}`))];
}

/** Null if there are none. */
function people(list) {
  if (list.length === 0) return null;
  return list.map(({ name, address }, n) => [n > 0 ? ', ' : '', person(name, address)]);
}

const path = (address) => ['<', words(address), '>'];

function sessionText({ clientIp, clientName, helo, tls, user }) {
  const client = clientName ? `${clientName} [${clientIp}]` : (clientIp ?? 'this service');
  const parts = [client, helo && `HELO ${helo}`, tls ? tls.version : 'no TLS', user && `user ${user}`];
  return parts.filter(Boolean).map((part, n) => [n > 0 ? ', ' : '', words(part)]);
}

function bodyOf({ text, html }, { path, copy }) {
  const views = [];
  if (html)
    views.push(
      el('iframe', {
        sandbox: 'allow-popups allow-popups-to-escape-sandbox', // links open beside the page; nothing runs
        referrerpolicy: 'no-referrer',
        title: 'HTML of the message',
        src: `${path}/html${copy}`,
      }),
    );
  if (typeof text === 'string') {
    const pre = el('pre', { class: 'text' }, document.createTextNode(visibleText(text)));
    views.push(html ? el('details', {}, el('summary', {}, 'Plain text'), pre) : pre);
  } else if (text) views.push(el('p', {}, el('a', { href: `${path}/text${copy}` }, `Plain text, ${size(text.bytes)}`)));
  return views.length > 0 ? views : [note('(no text)')];
}

function attachmentsOf({ attachments }, { path, copy }) {
  if (attachments.length === 0) return [];
  const items = attachments.map((part, n) =>
    el(
      'li',
      {},
      el('a', { href: `${path}/attachments/${n + 1}${copy}` }, words(part.filename)),
      aside(words(part.contentType), `, ${size(part.bytes)}`),
    ),
  );
  return [el('h3', {}, 'Attachments'), el('ul', {}, items)];
}

function problemsOf({ problems }) {
  if (problems.length === 0) return [];
  const items = problems.map(({ code, detail }) => el('li', {}, tag(code, 'bad'), detail));
  return [el('h3', {}, 'Problems'), el('ul', {}, items)];
}

function verdictsOf({ authentication: { spf, dkim, dmarc, arc }, disposition }) {
  const row = (check, { result, domain, reason }) =>
    el('tr', {}, td(check), td(result, verdictClass(result)), td(domain ?? ''), td(reason));
  return [
    el('h3', {}, 'Who sent it'),
    el('p', {}, tag(disposition.action, disposition.action === 'accept' ? 'good' : 'bad'), disposition.reason),
    table(
      ['Check', 'Result', 'Domain', 'Why'],
      [
        row('SPF: may this server send for the envelope?', spf),
        ...dkim.map((one) => row('DKIM: is a signature intact?', one)),
        row('DMARC: does it fit the From that people see?', dmarc),
        row('ARC: what did forwarders attest?', arc),
      ],
    ),
  ];
}
