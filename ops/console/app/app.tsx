// The page: rail, list and message beside each other; on a phone one of them at a time. Other views take the place of list
// and message.
import { useSignal } from '@preact/signals';
import type { ComponentChildren, ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { MailList } from '#ops/console/app/mail/list.tsx';
import { MessagePane } from '#ops/console/app/message/message.tsx';
import { Help } from '#ops/console/app/shell/help.tsx';
import { Leave } from '#ops/console/app/shell/leave.tsx';
import { Confirmation, Notices } from '#ops/console/app/shell/notices.tsx';
import { Rail } from '#ops/console/app/shell/rail.tsx';
import { place } from '#ops/console/app/shell/router.ts';
import { ChaosView } from '#ops/console/app/work/chaos.tsx';
import { Deliveries } from '#ops/console/app/work/deliveries.tsx';
import { Queues } from '#ops/console/app/work/queues.tsx';

export function App() {
  const { view, id, query } = place.value;
  if (view === 'leave') return <Leave to={query['to'] ?? ''} />;
  const isMail = view === 'mail' || view === 'trace';
  return (
    <div class={`app ${isMail ? 'mail' : 'work'} ${id === null ? 'at-list' : 'at-message'}`}>
      <button type="button" class="skip act" onClick={focusContent}>
        Skip to the {isMail ? 'mail' : 'view'}
      </button>
      <Rail />
      {isMail ? (
        <main class="panes">
          <MailList />
          <MessagePane />
        </main>
      ) : (
        <Work view={view} />
      )}
      <Notices />
      <Confirmation />
      <Help />
    </div>
  );
}

/** Past the mailboxes, of which there may be hundreds (WCAG 2.2, 2.4.1). */
function focusContent(): void {
  document.querySelector<HTMLElement>('.row a, .work-view :is(a, button, input)')?.focus();
}

function Work({ view }: { readonly view: 'deliveries' | 'queues' | 'overview' | 'chaos' }): ComponentChildren {
  switch (view) {
    case 'deliveries':
      return <Deliveries />;
    case 'queues':
      return <Queues />;
    case 'overview':
      return <Overview />;
    case 'chaos':
      return <ChaosView />;
  }
}

/** Loaded when it is wanted: it brings the charts. */
function Overview() {
  const loaded = useSignal<ComponentType | null>(null);
  useEffect(() => {
    void import('#ops/console/app/work/overview.tsx').then(
      (module) => {
        loaded.value = module.Overview;
      },
      () => {
        loaded.value = NotLoaded;
      },
    );
  }, []);
  const { value: Loaded } = loaded;
  return Loaded === null ? <main class="work-view" aria-busy="true" /> : <Loaded />;
}

/** The server is away, or has the files of another version since this tab was opened. */
function NotLoaded() {
  return (
    <main class="work-view">
      <h1>Overview</h1>
      <p class="bad">A file of this page could not be loaded.</p>
      <p>
        <button type="button" class="act" onClick={() => location.reload()}>
          Load the page again
        </button>
      </p>
    </main>
  );
}
