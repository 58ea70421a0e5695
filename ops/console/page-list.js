// The list of mail. While a message is read, and over a reload (in the tab's session), it keeps the search, how much was
// loaded, the place in it, and which message was chosen.
import { api, aside, el, note, person, size, table, tag, td, time, verdictClass, words } from './page-dom.js';
import { goTo, keepPlace, merge, place } from './page-place.js';

const mailboxField = document.getElementById('mailbox');
const searchField = document.getElementById('q');
const pageSize = 50;
/** If so many pages of new mail do not reach the mail that is shown, the list begins anew. */
const maxNewsPages = 10;
const maxPageSize = 500;
const sessionKey = 'pillarbox-list';

const newer = el('button', { type: 'button', class: 'newer', hidden: '', click: () => scrollTo({ top: 0 }) });
const shell = el('div');
/** `query` null: not loaded. `count`: of messages before a reload. `unseen`: new ones above the window. */
const list = { query: null, count: null, messages: [], next: null, chosen: null, place: null, unseen: 0 };

/** A click on a link in a row does not open the row. */
const stay = (clicked) => clicked.stopPropagation();

/** From `Ann <ann@a.example>`, as the list has it. */
function sender(from) {
  const [, name, address] = /^(.*) <([^<>]*)>$/s.exec(from ?? '') ?? [];
  return address === undefined ? words(from ?? '(nobody)') : person(name, address);
}

export function messageRow(message, chosen = null) {
  const open = () => {
    if (!String(getSelection())) location.hash = `#/mail/${message.id}`;
  };
  const copyLink = (mailbox, n) => {
    const href = `#/mail/${message.id}/${encodeURIComponent(mailbox)}`;
    return [n > 0 ? ', ' : '', el('a', { class: 'plain', href, click: stay }, words(mailbox))];
  };
  return el(
    'tr',
    { class: message.id === chosen ? 'row chosen' : 'row', 'data-id': message.id, click: open },
    td(time(message.receivedAt), 'time'),
    td(sender(message.from)),
    td(message.mailboxes.map(copyLink)),
    td([
      message.disposition === 'quarantine' ? tag('quarantine', 'bad') : null,
      el('a', { href: `#/mail/${message.id}`, click: stay }, words(message.subject || '(no subject)')),
      aside(words(message.preview)),
    ]),
    td(message.authentication.dmarc, verdictClass(message.authentication.dmarc)),
    td([size(message.bytes), message.attachments ? ` · ${message.attachments} att.` : ''], 'number'),
  );
}

/** The list for the search fields. */
export async function showMail() {
  if (list.query === null) restore();
  if (list.query !== asked() || list.messages.length === 0) await load(asked());
  draw();
  return [newer, shell];
}

/** Scrolls to where the list was left. */
export function goBack() {
  goTo(list.place);
  list.place = null;
}

/** Adds new mail; what is read stays in its place. */
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

/** Stores for this tab what is shown, and the place in it. */
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

/** The first page; after a reload as many messages as before, and down to the place of before. */
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
  const shown = rows.length > 0 ? table(heads, rows, { class: 'mail' }) : note(nothing);
  merge(shell, [shown, ...more]);
  drawNotice();
}

function drawNotice() {
  newer.textContent = `${list.unseen} new ↑`;
  newer.hidden = list.unseen === 0;
}
