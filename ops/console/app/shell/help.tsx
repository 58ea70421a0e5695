// The keys, and what they do.
import { signal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { backToList, openAgain, remove, step, toggleRead } from '#ops/console/app/mail/actions.ts';
import { searchFieldId } from '#ops/console/app/mail/search.tsx';
import { isHtmlAlone } from '#ops/console/app/message/message-state.ts';
import { goTo, place } from './router.ts';
import { changeScheme } from './scheme.ts';

type Key = { readonly keys: readonly string[]; readonly does: string; readonly run: () => void };

const isHelpShown = signal(false);

const keys: readonly Key[] = [
  { keys: ['j', 'ArrowDown'], does: 'next message', run: () => step(1) },
  { keys: ['k', 'ArrowUp'], does: 'message before', run: () => step(-1) },
  { keys: ['o', 'Enter'], does: 'open the first or the last one, or move into the open one', run: openOrEnter },
  { keys: ['u', 'Escape'], does: 'back to the list', run: goBack },
  { keys: ['f'], does: 'HTML alone in the pane, or as it was', run: changeHtmlAlone },
  { keys: ['U'], does: 'read, or unread again', run: () => withOpen(toggleRead) },
  { keys: ['#', 'Delete'], does: 'delete, with a way back', run: () => withOpen(remove) },
  { keys: ['/'], does: 'search', run: () => document.getElementById(searchFieldId)?.focus() },
  { keys: ['1'], does: 'mail', run: () => goTo({ view: 'mail' }) },
  { keys: ['2'], does: 'deliveries', run: () => goTo({ view: 'deliveries' }) },
  { keys: ['3'], does: 'queues', run: () => goTo({ view: 'queues' }) },
  { keys: ['4'], does: 'overview', run: () => goTo({ view: 'overview' }) },
  { keys: ['5'], does: 'chaos', run: () => goTo({ view: 'chaos' }) },
  { keys: ['d'], does: 'light, dark, or as the system has it', run: changeScheme },
  { keys: ['?'], does: 'this list', run: showHelp },
];
/** Keys that an element with the focus needs for itself. */
const ownKeys = new Set(['Enter', 'ArrowDown', 'ArrowUp']);

export function showHelp(): void {
  isHelpShown.value = true;
}

/** Answers keys wherever the focus is, but in fields and dialogs. */
export function answerKeys(): void {
  document.addEventListener('keydown', (event) => {
    const { target } = event;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !(target instanceof Element))
      return;
    if (target.closest('input, textarea, select, dialog[open]') !== null) return;
    const isFree = target === document.body || (event.key !== 'Enter' && target.closest('.row') !== null);
    if (ownKeys.has(event.key) && !isFree) return;
    const key = keys.find((one) => one.keys.includes(event.key));
    if (key === undefined || (event.key === 'Escape' && place.value.id === null)) return;
    event.preventDefault();
    key.run();
  });
}

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    if (isHelpShown.value) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isHelpShown.value]);
  const close = () => {
    isHelpShown.value = false;
  };
  return (
    <dialog
      ref={dialog}
      class="ask"
      aria-labelledby="help-title"
      onClose={() => dialog.current?.open !== true && close()}
    >
      <h2 id="help-title">Keys</h2>
      <dl class="keys">
        {keys.map(({ keys: names, does }) => (
          <div key={does}>
            <dt>
              {names.map((name) => (
                <kbd key={name}>{shown.get(name) ?? name}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <p class="buttons">
        <button type="button" class="act" onClick={close}>
          Close
        </button>
      </p>
    </dialog>
  );
}

const shown = new Map([
  ['ArrowDown', '↓'],
  ['ArrowUp', '↑'],
  ['Escape', 'Esc'],
  ['Delete', 'Del'],
]);

function goBack(): void {
  if (isHtmlAlone.value) isHtmlAlone.value = false;
  else backToList();
}

function changeHtmlAlone(): void {
  isHtmlAlone.value = !isHtmlAlone.value;
}

function withOpen(act: (id: string) => void): void {
  const { id } = place.value;
  if (id !== null) act(id);
}

function openOrEnter(): void {
  const { id } = place.value;
  if (id !== null) document.getElementById('stage')?.focus();
  else openAgain();
}
