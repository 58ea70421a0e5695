// The list of mail: what is loaded of it, and how it changes. New mail comes in above; what is read stays in its place.
import { batch, signal } from '@preact/signals';
import { api, type Failure, failureOf, type Listed, type MailPage } from '#ops/console/app/shell/api.ts';
import type { News } from '#ops/console/app/shell/events.ts';
import { search } from '#ops/console/app/shell/router.ts';
import { searchParameters } from '#ops/console/app/text/search-words.ts';

/** `query`: the search that `messages` are of, null before the first. `unseen`: new ones above the window; `isBehind`: there are more of them, which are not loaded. */
export type MailList = {
  readonly query: string | null;
  readonly messages: readonly Listed[];
  readonly next: string | null;
  readonly unseen: number;
  readonly isBehind: boolean;
  readonly failure: Failure | null;
};

const nothing: MailList = { query: null, messages: [], next: null, unseen: 0, isBehind: false, failure: null };
export const list = signal<MailList>(nothing);
export const isLoading = signal(false);

/** How the view keeps its place; set by the view. */
export const view = { isAtTop: (): boolean => true };

const pageSize = 50;
const maxPageSize = 500;
/** If so many pages of new mail do not reach the mail that is shown, the list begins anew. */
const maxNewsPages = 10;
/** At the top, the list is cut to its first page when it has grown longer than this. */
const maxAtTop = 200;
/** Away from the top, mail that comes in is no longer loaded when so much of it is above the window. */
const maxUnseen = 300;
const sessionKey = 'pillarbox-list';

/** Messages that are being deleted: not shown, and not there when the server tells of them again. */
const hidden = new Set<string>();

/** Loads the first page of the search; after a reload as many messages as before. */
export async function load(query: string, count = pageSize): Promise<void> {
  isLoading.value = true;
  const messages: Listed[] = [];
  let next: string | null = null;
  try {
    do {
      const limit = Math.min(maxPageSize, Math.max(pageSize, count - messages.length));
      const page: MailPage = await ask(query, { limit, after: next });
      messages.push(...page.messages);
      next = page.next;
      if (page.messages.length === 0) break;
    } while (next !== null && messages.length < count);
    if (query !== search.value) return; // another search has begun meanwhile
    list.value = { query, messages: visibleOf(messages), next, unseen: 0, isBehind: false, failure: null };
  } catch (thrown) {
    if (query === search.value) list.value = { ...nothing, query, failure: failureOf(thrown) };
  } finally {
    if (query === search.value) isLoading.value = false;
  }
}

/** The page behind what is loaded. */
export async function loadOlder(): Promise<void> {
  const { query, next } = list.value;
  if (query === null || next === null || isLoading.value) return;
  isLoading.value = true;
  try {
    const page = await ask(query, { limit: pageSize, after: next });
    if (query !== list.value.query || next !== list.value.next) return;
    const known = new Set(list.value.messages.map(({ id }) => id));
    const more = visibleOf(page.messages).filter(({ id }) => !known.has(id));
    list.value = { ...list.value, messages: [...list.value.messages, ...more], next: page.next };
  } finally {
    isLoading.value = false;
  }
}

/** Applies what the events say; asks for the newest mail if there may be some. */
export async function followNews(news: readonly News[]): Promise<void> {
  batch(() => {
    for (const { event, data } of news) {
      if (event === 'deleted') applyDeleted(data);
      if (event === 'marked') applyMarked(data);
    }
  });
  const isAll = news.some(({ event, data }) => event === 'deleted' && isRecord(data) && data['all'] === true);
  const isNew = news.some(({ event }) => event === null || event === 'message' || event === 'changed');
  if (isAll && list.value.isBehind) await load(list.value.query ?? '');
  else if (isAll || isNew) await refresh();
}

/** Adds new mail, and takes the newest page as it is now. */
export async function refresh(): Promise<void> {
  const { query } = list.value;
  if (query === null) return;
  if (list.value.failure !== null) return load(query);
  if (!view.isAtTop() && list.value.unseen >= maxUnseen) {
    if (!list.value.isBehind) list.value = { ...list.value, isBehind: true };
    return;
  }
  const known = new Set(list.value.messages.map(({ id }) => id));
  const isKnown = ({ id }: Listed): boolean => known.has(id);
  const fresh: Listed[] = [];
  let next: string | null = null;
  let isJoined = false;
  for (let page = 0; page < maxNewsPages && !isJoined; page += 1) {
    const answer: MailPage = await ask(query, { limit: pageSize, after: next });
    fresh.push(...answer.messages);
    next = answer.next;
    if (next === null) break;
    isJoined = answer.messages.length === 0 || answer.messages.some(isKnown);
  }
  if (query !== list.value.query) return; // another search has begun meanwhile
  const { messages, next: nextBefore, unseen } = list.value;
  const last = fresh.at(-1);
  const isShort = !view.isAtTop() || messages.length <= maxAtTop;
  const below = isJoined && isShort ? messages.filter(({ id }) => last === undefined || id < last.id) : [];
  const added = view.isAtTop() ? 0 : fresh.filter((message) => !isKnown(message)).length;
  list.value = {
    query,
    messages: visibleOf([...fresh, ...below]),
    next: below.length === 0 ? next : nextBefore,
    unseen: view.isAtTop() ? 0 : unseen + added,
    isBehind: false,
    failure: null,
  };
}

/** Takes messages out of the list before they are deleted; answers what puts them back. */
export function hide(ids: readonly string[]): () => void {
  for (const id of ids) hidden.add(id);
  const before = list.value.messages;
  list.value = { ...list.value, messages: visibleOf(before) };
  return () => {
    for (const id of ids) hidden.delete(id);
    list.value = { ...list.value, messages: before };
    void refresh();
  };
}

/** Shows a change of some messages before the server tells of it. */
export function change(ids: readonly string[], changed: Partial<Pick<Listed, 'read' | 'tags'>>): void {
  const isMeant = new Set(ids);
  const messages = list.value.messages.map((one) => (isMeant.has(one.id) ? { ...one, ...changed } : one));
  list.value = { ...list.value, messages };
}

/** The window is at the top: what is not loaded of the new mail is loaded now. */
export function seeAll(): void {
  const { unseen, isBehind, query } = list.value;
  if (unseen > 0) list.value = { ...list.value, unseen: 0, isBehind: false };
  if (isBehind) void load(query ?? '');
}

/** The message before or behind the given one in the list; at first the top one. */
export function neighbour(id: string | null, step: 1 | -1): string | null {
  const { messages } = list.value;
  const at = messages.findIndex((one) => one.id === id);
  if (at < 0) return messages[0]?.id ?? null;
  return messages[at + step]?.id ?? null;
}

/** The link of a row that is drawn. */
export function rowOf(id: string): HTMLElement | null {
  return document.querySelector<HTMLElement>(`.row[data-id="${CSS.escape(id)}"] a`);
}

/** A row, and how far below the upper edge of the window it is, in pixels. */
export type Anchor = { readonly id: string; readonly below: number };
/** What is kept over a reload in this tab: how much was loaded, and where the window was in it (null: at the top). */
export type Remembered = { readonly query: string; readonly count: number; readonly anchor: Anchor | null };

export function remember(anchor: Anchor | null): void {
  const { query, messages } = list.value;
  if (query === null) return;
  sessionStorage.setItem(sessionKey, JSON.stringify({ query, count: messages.length, anchor } satisfies Remembered));
}

/** Null if another search was shown. */
export function remembered(query: string): Remembered | null {
  const found: unknown = JSON.parse(sessionStorage.getItem(sessionKey) ?? 'null');
  if (!isRecord(found) || found['query'] !== query) return null;
  const { count, anchor } = found;
  const isAnchor = isRecord(anchor) && typeof anchor['id'] === 'string' && typeof anchor['below'] === 'number';
  return {
    query,
    count: Number(count) || 0,
    anchor: isAnchor ? { id: String(anchor['id']), below: Number(anchor['below']) } : null,
  };
}

function ask(query: string, { limit, after }: { readonly limit: number; readonly after: string | null }) {
  const asked = searchParameters(query);
  asked.set('limit', String(limit));
  if (after !== null) asked.set('after', after);
  return api<MailPage>(`/api/messages?${asked}`);
}

function applyDeleted(data: unknown): void {
  const gone = new Set(idsOf(data));
  if (gone.size === 0) return;
  list.value = { ...list.value, messages: list.value.messages.filter(({ id }) => !gone.has(id)) };
}

function applyMarked(data: unknown): void {
  if (!isRecord(data)) return;
  const { read, tags } = data;
  change(idsOf(data), {
    ...(typeof read === 'boolean' ? { read } : {}),
    ...(Array.isArray(tags) ? { tags: tags.map(String) } : {}),
  });
}

function idsOf(data: unknown): readonly string[] {
  return isRecord(data) && Array.isArray(data['ids']) ? data['ids'].map(String) : [];
}

function visibleOf(messages: readonly Listed[]): readonly Listed[] {
  return hidden.size === 0 ? messages : messages.filter(({ id }) => !hidden.has(id));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
