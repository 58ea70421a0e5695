// The pane with the open message: its head, and a tab for each way to look at it.
import { MailOpen } from 'lucide-preact';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { mark } from '#ops/console/app/mail/actions.ts';
import { list } from '#ops/console/app/mail/list-state.ts';
import type { InboxMessage } from '#ops/console/app/shell/api.ts';
import { whenNews } from '#ops/console/app/shell/live.ts';
import { adjust, place } from '#ops/console/app/shell/router.ts';
import { BackButton } from './actions.tsx';
import { Head, PlainHead } from './head.tsx';
import { facts, isHtmlAlone, lookAgainAt, opened, openMessage, type TabProps } from './message-state.ts';
import { Attachments } from './tab-attachments.tsx';
import { Checks } from './tab-checks.tsx';
import { Clients } from './tab-clients.tsx';
import { Headers } from './tab-headers.tsx';
import { Html } from './tab-html.tsx';
import { Links } from './tab-links.tsx';
import { Parts } from './tab-parts.tsx';
import { Raw } from './tab-raw.tsx';
import { Text } from './tab-text.tsx';
import { Timeline } from './tab-timeline.tsx';

type Tab = {
  readonly name: string;
  readonly label: string;
  readonly count?: (message: InboxMessage) => number;
  readonly isThere?: (message: InboxMessage) => boolean;
  readonly show: (props: TabProps) => ComponentChildren;
};

const tabs: readonly Tab[] = [
  { name: 'html', label: 'HTML', isThere: ({ html }) => html !== null, show: (props) => <Html {...props} /> },
  {
    name: 'text',
    label: 'Text',
    isThere: ({ text, html }) => text !== null || html === null,
    show: (props) => <Text {...props} />,
  },
  {
    name: 'files',
    label: 'Files',
    count: ({ attachments }) => attachments.length,
    isThere: ({ attachments }) => attachments.length > 0,
    show: (props) => <Attachments {...props} />,
  },
  { name: 'links', label: 'Links', count: () => facts.value.links.length, show: () => <Links /> },
  {
    name: 'headers',
    label: 'Headers',
    count: ({ headers }) => headers.length,
    show: (props) => <Headers {...props} />,
  },
  { name: 'parts', label: 'Parts', show: (props) => <Parts {...props} /> },
  { name: 'checks', label: 'Checks', count: ({ problems }) => problems.length, show: (props) => <Checks {...props} /> },
  { name: 'clients', label: 'Clients', isThere: ({ html }) => html !== null, show: (props) => <Clients {...props} /> },
  { name: 'timeline', label: 'Timeline', show: () => <Timeline /> },
  { name: 'raw', label: 'Raw', show: (props) => <Raw id={props.message.id} bytes={props.message.raw.bytes} /> },
];

export function MessagePane() {
  const { id, copy, view } = place.value;
  useEffect(() => void openMessage(place.value), [id, copy, view]);
  useEffect(
    () => (id === null ? undefined : whenNews('message', (news) => lookAgainAt(place.value, news), 2_000)),
    [id],
  );
  const now = opened.value;
  const isOpen = now.kind === 'open';
  const seen = useRef<string | null>(null);
  const isListed = list.value.query !== null;
  useEffect(() => {
    if (!isOpen || !isListed || seen.current === now.id) return;
    seen.current = now.id; // once: it may be marked as unread while it is open
    mark(now.id, true, false);
  }, [isOpen && now.id, isListed]);
  switch (now.kind) {
    case 'none':
      return (
        <section aria-label="Message" class="msg none">
          <div class="empty">
            <MailOpen aria-hidden="true" size={36} strokeWidth={1.25} />
            <p>
              Choose a message, or press <kbd>j</kbd> for the first.
            </p>
          </div>
        </section>
      );
    case 'loading':
      return (
        <section aria-label="Message" class="msg" aria-busy="true">
          <header class="top">
            <nav class="acts" aria-label="Message">
              <BackButton />
            </nav>
          </header>
          <i class="skeleton" />
        </section>
      );
    case 'failed':
      return (
        <section aria-label="Message" class="msg none">
          <div class="empty">
            <BackButton />
            <h1>This message cannot be shown</h1>
            <p class="bad">{now.failure.message}</p>
          </div>
        </section>
      );
    case 'without':
      return (
        <section aria-label="Message" class="msg">
          <PlainHead id={now.id} />
          <div class="stage">
            <Timeline />
          </div>
        </section>
      );
    case 'open':
      return <Opened key={now.id} message={now.message} copy={now.copy} />;
  }
}

function Opened(props: TabProps) {
  const { message } = props;
  const there = tabs.filter(({ isThere }) => isThere?.(message) ?? true);
  const wanted = place.value.query['tab'];
  const chosen = there.find(({ name }) => name === wanted) ?? there[0];
  useTabInSight(chosen?.name);
  return (
    <section aria-label="Message" class={isHtmlAlone.value && chosen?.name === 'html' ? 'msg html-alone' : 'msg'}>
      <Head {...props} />
      <div
        class="tabs"
        role="tablist"
        aria-label="Ways to look at the message"
        onKeyDown={(event) => moveTab(event, there, chosen)}
      >
        {there.map(({ name, label, count }) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            class="tab"
            aria-selected={name === chosen?.name}
            aria-controls="stage"
            tabIndex={name === chosen?.name ? 0 : -1}
            onClick={() => adjust({ tab: name })}
          >
            {label} {(count?.(message) ?? 0) > 0 && <b>{count?.(message)}</b>}
          </button>
        ))}
      </div>
      <div
        class={`stage stage-${chosen?.name}`}
        id="stage"
        role="tabpanel"
        aria-labelledby={`tab-${chosen?.name}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also by the keyboard
        tabIndex={0}
      >
        {chosen?.show(props)}
      </div>
    </section>
  );
}

/** The chosen tab is in sight, where there is no room for all. */
function useTabInSight(name: string | undefined): void {
  useEffect(
    () => document.getElementById(`tab-${name}`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' }),
    [name],
  );
}

function moveTab(event: KeyboardEvent, there: readonly Tab[], chosen: Tab | undefined): void {
  const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
  if (by === 0 || chosen === undefined) return;
  event.preventDefault();
  const next = there[(there.indexOf(chosen) + by + there.length) % there.length];
  if (next === undefined) return;
  adjust({ tab: next.name });
  document.getElementById(`tab-${next.name}`)?.focus();
}
