// The pane with the list of mail: it stays where it is while mail comes in above, while a message is read and over a reload.
import { effect } from '@preact/signals';
import { ArrowUp, CheckCheck, Inbox, SearchX, Send, Trash2, Unplug } from 'lucide-preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { opened } from '#ops/console/app/message/message-state.ts';
import { chaosWords, connection, health, listenersOf, mailboxes, whenNews } from '#ops/console/app/shell/live.ts';
import { place, search, searchAddress } from '#ops/console/app/shell/router.ts';
import { terms, toggled } from '#ops/console/app/text/search-words.ts';
import { sendTrial } from './actions.ts';
import { isAtWork, markFound, removeFound } from './all-found.ts';
import {
  type Anchor,
  followNews,
  isLoading,
  list,
  load,
  loadOlder,
  remember,
  remembered,
  rowOf,
  seeAll,
  view,
} from './list-state.ts';
import { Row } from './row.tsx';
import { SearchBox } from './search.tsx';

const chips = [
  { term: 'is:unread', label: 'Unread' },
  { term: 'has:attachment', label: 'Files' },
  { term: 'verdict:fail', label: 'Failed' },
];
/** The next page is asked for when so much of the list is left below the window. */
const aheadPixels = 800;

export function MailList() {
  return (
    <section class="list" aria-label="Messages">
      {(place.value.id === null || opened.value.kind === 'loading') && <h1 class="sr">Mail</h1>}
      <SearchBox />
      <Bar />
      {connection.value === 'broken' && (
        <p class="notice bad">
          <Unplug aria-hidden="true" size={15} /> Not connected, trying again …
        </p>
      )}
      <Rows />
    </section>
  );
}

function Bar() {
  const { messages, next, query } = list.value;
  const isAll = search.value.trim() === '';
  const total = isAll ? Math.max(mailboxes.value.messages, messages.length) : messages.length;
  const has = new Set(terms(search.value));
  return (
    <div class="bar">
      <span class="count">
        {query === null ? '' : total === messages.length && next !== null ? `${total}+` : total.toLocaleString('en')}
        <span> {total === 1 ? 'message' : 'messages'}</span>
      </span>
      {chips.map(({ term, label }) => (
        <a
          key={term}
          class={has.has(term) ? 'chip on' : 'chip'}
          aria-current={has.has(term) ? 'true' : undefined}
          href={searchAddress(toggled(search.value, term))}
        >
          {label}
        </a>
      ))}
      <button
        type="button"
        class="icon"
        aria-label="Mark all as read"
        title="Mark all as read"
        disabled={isAtWork.value}
        onClick={markFound}
      >
        <CheckCheck aria-hidden="true" size={16} />
      </button>
      <button
        type="button"
        class="icon"
        aria-label="Delete all shown"
        title="Delete all shown"
        disabled={isAtWork.value}
        onClick={removeFound}
      >
        <Trash2 aria-hidden="true" size={16} />
      </button>
    </div>
  );
}

function Rows() {
  const box = useRef<HTMLDivElement>(null);
  const shownId = useRef<string | null>(null);
  useEffect(() => follow(box.current), []);
  useKeptPlace(box);
  useEffect(() => {
    const { id } = place.value;
    if (id === shownId.current) return;
    const row = id === null ? null : rowOf(id);
    if (id !== null && row === null) return; // not loaded yet
    shownId.current = id;
    row?.scrollIntoView({ block: 'nearest' });
    if (box.current?.contains(document.activeElement)) row?.focus(); // keys step on from the row that has the focus
  });
  const { messages, next, failure, unseen, isBehind, query } = list.value;
  const toTop = () => box.current?.scrollTo({ top: 0 });
  return (
    <div class="rows" ref={box} aria-busy={query === null}>
      {query === null && <i class="skeleton" />}
      {unseen > 0 && (
        <button type="button" class="newer" onClick={toTop}>
          {isBehind ? `${unseen}+` : unseen} new <ArrowUp aria-hidden="true" size={14} />
        </button>
      )}
      {failure !== null && <p class="empty bad">{failure.message}</p>}
      {failure === null && query !== null && messages.length === 0 && <Nothing />}
      <ul>
        {messages.map((message) => (
          <Row key={message.id} message={message} isChosen={message.id === place.value.id} />
        ))}
      </ul>
      {next !== null && (
        <p class="more">
          <button type="button" class="act" disabled={isLoading.value} onClick={() => void loadOlder()}>
            Older
          </button>
        </p>
      )}
    </div>
  );
}

function Nothing() {
  if (search.value.trim() !== '') {
    return (
      <div class="empty">
        <SearchX aria-hidden="true" />
        <p>No mail matches.</p>
        <a class="act" href={searchAddress('')}>
          Show all mail
        </a>
      </div>
    );
  }
  return (
    <div class="empty">
      <Inbox aria-hidden="true" />
      <p>No mail here yet. What arrives shows up by itself.</p>
      {listenersOf(health.value).map(({ role, text }) => (
        <p key={role}>
          {role === 'mx' ? 'SMTP' : role} <code>{text}</code>
        </p>
      ))}
      {chaosWords.value !== null && (
        <button type="button" class="act" onClick={sendTrial}>
          <Send aria-hidden="true" size={15} /> Send a mail to try it
        </button>
      )}
    </div>
  );
}

/** Loads what the address says, and what is new; answers how to stop. */
function follow(box: HTMLDivElement | null): () => void {
  view.isAtTop = () => (box?.scrollTop ?? 0) <= 4;
  const stopSearch = effect(() => {
    const query = search.value;
    if (query === list.peek().query) return;
    const before = remembered(query);
    const isFirst = list.peek().query === null;
    void load(query, isFirst ? before?.count : undefined).then(() => {
      if (box !== null) goTo(box, isFirst ? (before?.anchor ?? null) : null);
    });
  });
  const stopNews = whenNews('list', followNews);
  const noticeScroll = (): void => {
    if (box === null) return;
    if (view.isAtTop()) seeAll();
    if (box.scrollHeight - box.scrollTop - box.clientHeight < aheadPixels) void loadOlder();
  };
  const leave = (): void => remember(box === null || view.isAtTop() ? null : anchorOf(box));
  box?.addEventListener('scroll', noticeScroll, { passive: true });
  addEventListener('pagehide', leave);
  return () => {
    leave();
    stopSearch();
    stopNews();
    removeEventListener('pagehide', leave);
  };
}

/** After each change the first row that was visible is where it was, unless the list is at its top. */
function useKeptPlace(box: { readonly current: HTMLDivElement | null }): void {
  const { current: element } = box;
  const before = element === null || view.isAtTop() ? null : anchorOf(element);
  useLayoutEffect(() => {
    if (before !== null && box.current !== null) goTo(box.current, before);
  });
}

/** The first row that is visible. */
function anchorOf(box: HTMLElement): Anchor | null {
  const rows = [...box.querySelectorAll<HTMLElement>('li[data-id]')];
  const row = rows.find((one) => one.offsetTop + one.offsetHeight > box.scrollTop);
  const id = row?.dataset['id'];
  return row === undefined || id === undefined ? null : { id, below: row.offsetTop - box.scrollTop };
}

/** The top without an anchor; nowhere if its row is gone. */
function goTo(box: HTMLElement, anchor: Anchor | null): void {
  const row = anchor === null ? null : box.querySelector<HTMLElement>(`li[data-id="${CSS.escape(anchor.id)}"]`);
  if (anchor === null) box.scrollTo({ top: 0, behavior: 'instant' });
  else if (row !== null) box.scrollTo({ top: row.offsetTop - anchor.below, behavior: 'instant' });
}
