// The list of mail. It lives on while a message is read and, in the tab's session, over a reload: what was looked for, how
// much of it was loaded, where one was, and which message was chosen.
import { api, el, person, size, table, tag, time, verdictClass, words } from './page-dom.js';
import { goTo, keepPlace, merge, place } from './page-place.js';

const mailboxField = document.getElementById('mailbox');
const searchField = document.getElementById('q');
const pageSize = 50;
/** Pages that are read at most until the news meets what is there; then the list begins anew. */
const maxNewsPages = 10;
const maxPageSize = 500;
const sessionKey = 'pillarbox-list';

const newer = el('button', { type: 'button', class: 'newer', hidden: '', click: () => scrollTo({ top: 0 }) });
const shell = el('div');
/** `query` null: not loaded. `count`: of messages before a reload. `unseen`: new ones above while one is further down. */
const list = { query: null, count: null, messages: [], next: null, chosen: null, place: null, unseen: 0 };

/** A link in a row goes where it leads, not where the row does. */
const stay = (clicked) => clicked.stopPropagation();

/** From `Ann <ann@a.example>`, as the list has it. */
function sender(from) {
  const [, name, address] = /^(.*) <([^<>]*)>$/s.exec(from ?? '') ?? [];
  return address === undefined ? words(from ?? '(nobody)') : person(name, address);
}

/** One row of the list. */
export function messageRow(message, chosen = null) {
  const open = () => {
    if (!String(getSelection())) location.hash = `#/mail/${message.id}`;
  };
  const copyLink = (mailbox, n) => [
    n > 0 ? ', ' : '',
    el(
      'a',
      { class: 'plain', href: `#/mail/${message.id}/${encodeURIComponent(mailbox)}`, click: stay },
      words(mailbox),
    ),
  ];
  return el(
    'tr',
    { class: message.id === chosen ? 'row chosen' : 'row', 'data-id': message.id, click: open },
    el('td', { class: 'time' }, time(message.receivedAt)),
    el('td', {}, sender(message.from)),
    el('td', {}, message.mailboxes.map(copyLink)),
    el(
      'td',
      {},
      message.disposition === 'quarantine' ? tag('quarantine', 'bad') : null,
      el('a', { href: `#/mail/${message.id}`, click: stay }, words(message.subject || '(no subject)')),
      el('span', { class: 'quiet' }, ' ', words(message.preview)),
    ),
    el('td', { class: verdictClass(message.authentication.dmarc) }, message.authentication.dmarc),
    el('td', { class: 'number' }, size(message.bytes), message.attachments ? ` · ${message.attachments} att.` : ''),
  );
}

/** The list for what the fields ask, loaded where it is not yet. */
export async function showMail() {
  if (list.query === null) restore();
  if (list.query !== asked() || list.messages.length === 0) await load(asked());
  draw();
  return [newer, shell];
}

/** Scrolls to where one was when the list was left. */
export function goBack() {
  goTo(list.place);
  list.place = null;
}

/** Takes in what is new; what one reads stays where it is. */
export async function refreshMail() {
  const { query } = list;
  const known = new Set(list.messages.map(({ id }) => id));
  const isKnown = ({ id }) => known.has(id);
  const fresh = [];
  let next = null;
  let isJoined = false;
  for (let page = 0; page < maxNewsPages && !isJoined; page += 1) {
    const answer = await ask(query, { limit: pageSize, after: next });
    fresh.push(...answer.messages);
    next = answer.next;
    if (next === null) break;
    isJoined = answer.messages.length === 0 || answer.messages.some(isKnown);
  }
  if (query !== list.query) return; // another search has begun meanwhile
  const last = fresh.at(-1);
  const below = isJoined ? list.messages.filter(({ id }) => last === undefined || id < last.id) : [];
  if (below.length === 0) list.next = next;
  list.messages = [...fresh, ...below];
  if (place() !== null) list.unseen += fresh.filter((message) => !isKnown(message)).length;
  keepPlace(draw);
}

/** Remembers for this tab what is shown and where one is. */
export function rememberMail() {
  const { query, messages, chosen } = list;
  if (query === null) return;
  list.place = place();
  const state = { query, count: messages.length, chosen, place: list.place };
  sessionStorage.setItem(sessionKey, JSON.stringify(state));
}

/** Marks the message that was read last. */
export function choose(id) {
  list.chosen = id;
}

/** At the top nothing is unseen. */
export function noticeScroll() {
  if (list.unseen === 0 || place() !== null) return;
  list.unseen = 0;
  drawNotice();
}

function asked() {
  const query = new URLSearchParams();
  if (mailboxField.value.trim()) query.set('mailbox', mailboxField.value.trim());
  if (searchField.value.trim()) query.set('q', searchField.value.trim());
  return String(query);
}

const ask = (query, { limit, after }) =>
  api(`/api/messages?limit=${limit}${query && `&${query}`}${after ? `&after=${encodeURIComponent(after)}` : ''}`);

/** The first page; after a reload as many as there were, and on to where one was. */
async function load(query) {
  const isSame = query === list.query;
  const count = isSame ? (list.count ?? pageSize) : pageSize;
  const wanted = isSame ? list.place?.id : undefined;
  const messages = [];
  let next = null;
  do {
    const limit = Math.min(maxPageSize, Math.max(pageSize, count - messages.length));
    const answer = await ask(query, { limit, after: next });
    messages.push(...answer.messages);
    next = answer.next;
    if (answer.messages.length === 0) break;
  } while (next && (messages.length < count || (wanted && messages.at(-1).id > wanted)));
  if (!isSame) Object.assign(list, { chosen: null, place: null });
  Object.assign(list, { query, messages, next, unseen: 0 });
}

async function loadOlder() {
  const { query, next } = list;
  const answer = await ask(query, { limit: pageSize, after: next });
  if (query !== list.query || next !== list.next) return;
  const known = new Set(list.messages.map(({ id }) => id));
  list.messages.push(...answer.messages.filter(({ id }) => !known.has(id)));
  list.next = answer.next;
  draw();
}

function restore() {
  const state = JSON.parse(sessionStorage.getItem(sessionKey) ?? 'null');
  if (state === null) return;
  Object.assign(list, state);
  const query = new URLSearchParams(state.query);
  mailboxField.value = query.get('mailbox') ?? '';
  searchField.value = query.get('q') ?? '';
}

function draw() {
  const { messages, next, query, chosen } = list;
  const nothing = query ? 'No mail like that here.' : 'No mail here. What arrives shows up by itself.';
  const heads = ['Received', 'From', 'Mailbox', 'Subject', 'DMARC', 'Size'];
  const rows = messages.map((message) => messageRow(message, chosen));
  const more = next ? [el('p', {}, el('button', { type: 'button', click: loadOlder }, 'Older'))] : [];
  const shown = rows.length > 0 ? table(heads, rows, { class: 'mail' }) : el('p', { class: 'quiet' }, nothing);
  merge(shell, [shown, ...more]);
  drawNotice();
}

function drawNotice() {
  newer.textContent = `${list.unseen} new ↑`;
  newer.hidden = list.unseen === 0;
}
