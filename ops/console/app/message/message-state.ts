// The open message: its JSON, its trace, and what its HTML links to.
import { signal } from '@preact/signals';
import {
  api,
  type Failure,
  failureOf,
  type InboxMessage,
  messagePath,
  type Trace,
  textOf,
} from '#ops/console/app/shell/api.ts';
import type { News } from '#ops/console/app/shell/events.ts';
import { type HtmlFacts, htmlFacts, type Link, textLinks } from '#ops/console/app/text/html-facts.ts';
import type { Place } from '#ops/console/app/text/place.ts';

/** `without`: stored, but in no mailbox: only its trace and its bytes are there. */
export type OpenMessage =
  | { readonly kind: 'none' }
  | { readonly kind: 'loading'; readonly id: string }
  | { readonly kind: 'failed'; readonly id: string; readonly failure: Failure }
  | { readonly kind: 'without'; readonly id: string }
  | { readonly kind: 'open'; readonly id: string; readonly copy: string | null; readonly message: InboxMessage };

/** What each tab shows. `copy`: the mailbox whose copy it is, null for any. */
export type TabProps = { readonly message: InboxMessage; readonly copy: string | null };

export const opened = signal<OpenMessage>({ kind: 'none' });
export const trace = signal<Trace | null>(null);
export const facts = signal<HtmlFacts>({ links: [], remote: 0 });
/** The HTML has the pane to itself: head and tabs are hidden. */
export const isHtmlAlone = signal(false);

const maxFactsBytes = 2_097_152;

/** Loads a message; the trace comes after it. */
export async function openMessage({ id, copy, view }: Place): Promise<void> {
  trace.value = null;
  facts.value = { links: [], remote: 0 };
  isHtmlAlone.value = false;
  if (id === null) {
    opened.value = { kind: 'none' };
    return;
  }
  opened.value = { kind: 'loading', id };
  void loadTrace(id);
  if (view === 'trace') {
    opened.value = { kind: 'without', id };
    return;
  }
  try {
    const message = await api<InboxMessage>(messagePath(id, copy));
    if (!isWanted(id)) return;
    opened.value = { kind: 'open', id, copy, message };
    const found = await readFacts(message, copy);
    if (isWanted(id)) facts.value = found;
  } catch (thrown) {
    const failure = failureOf(thrown);
    if (!isWanted(id)) return;
    opened.value = failure.code === 'not-in-a-mailbox' ? { kind: 'without', id } : { kind: 'failed', id, failure };
  }
}

/** What happened to the open message since; one that could not be loaded, as the server was away, is loaded now. */
export async function lookAgainAt(place: Place, news: readonly News[]): Promise<void> {
  const { value: now } = opened;
  if (now.kind === 'failed' && now.failure.code === 'unreachable') return openMessage(place);
  if (place.id === null) return;
  const hasLostCopy = news.some(
    ({ event, data }) => event === 'changed' && JSON.stringify(data).includes(`${place.id}`),
  );
  await Promise.all([loadTrace(place.id), hasLostCopy && now.kind === 'open' ? reload(now) : null]);
}

/** Of a message that has lost a copy another one may be shown now. */
async function reload({ id, copy }: Extract<OpenMessage, { kind: 'open' }>): Promise<void> {
  const message = await api<InboxMessage>(messagePath(id, copy)).catch(() => null);
  if (message !== null && isWanted(id)) opened.value = { kind: 'open', id, copy, message };
}

async function loadTrace(id: string): Promise<void> {
  const found = await api<Trace>(messagePath(id, null, '/trace')).catch(() => null);
  if (found !== null && isWanted(id)) trace.value = found;
}

function isWanted(id: string): boolean {
  return opened.value.kind !== 'none' && opened.value.id === id;
}

async function readFacts(message: InboxMessage, copy: string | null): Promise<HtmlFacts> {
  const html = await bodyText(message, copy, 'html');
  const text = typeof message.text === 'string' ? message.text : '';
  const found = html === null ? { links: [], remote: 0 } : htmlFacts(html);
  const known = new Set(found.links.map(({ address }) => address));
  const more: readonly Link[] = textLinks(text).filter(({ address }) => !known.has(address));
  return { ...found, links: [...found.links, ...more] };
}

/** Null if there is none; of a long one the beginning. */
export async function bodyText(
  message: InboxMessage,
  copy: string | null,
  kind: 'text' | 'html',
): Promise<string | null> {
  const part = message[kind];
  if (part === null || typeof part === 'string') return part;
  const { text } = await textOf(messagePath(message.id, copy, `/${kind}`), { maxBytes: maxFactsBytes });
  return text;
}
