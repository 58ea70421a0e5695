// What was done, told in a corner of the page, with a way back where there is one; and the question before what has none.
import { signal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { failureOf } from './api.ts';

type Notice = { readonly text: string; readonly tone: 'plain' | 'bad'; readonly undo: (() => void) | null };
type Question = { readonly title: string; readonly text: string; readonly action: string; readonly yes: () => void };

const notice = signal<Notice | null>(null);
/** How far a long work is, until it is done. */
const progress = signal<string | null>(null);
const question = signal<Question | null>(null);
const shownMs = 8_000;
let fade: ReturnType<typeof setTimeout> | undefined;
let settle: (() => void) | null = null;

/** `undo`: takes it back, for as long as the notice is shown. */
export function tell(text: string, undo: (() => void) | null = null): void {
  show({ text, tone: 'plain', undo });
}

/** Stays beside other notices until it is null. */
export function tellProgress(text: string | null): void {
  progress.value = text;
}

export function complain(thrown: unknown): void {
  show({ text: failureOf(thrown).message, tone: 'bad', undo: null });
}

/**
 * For what the server cannot take back: `apply` is called when the notice goes, unless it was undone meanwhile; also when the
 * tab is closed. `undo` brings back what the page has taken away already.
 */
export function tellBefore(
  text: string,
  { apply, undo }: { readonly apply: () => void; readonly undo: () => void },
): void {
  show({
    text,
    tone: 'plain',
    undo: () => {
      settle = null;
      undo();
    },
  });
  settle = apply;
}

/** Asks first. */
export function confirm(asked: Question): void {
  question.value = asked;
}

/** What was put off is done now. */
export function settleNow(): void {
  settle?.();
  settle = null;
}

function show(next: Notice): void {
  settleNow();
  clearTimeout(fade);
  notice.value = next;
  fade = setTimeout(hide, shownMs);
}

function hide(): void {
  clearTimeout(fade);
  settleNow();
  notice.value = null;
}

function takeBack(): void {
  const undo = notice.value?.undo;
  clearTimeout(fade);
  notice.value = null;
  undo?.();
}

export function Notices() {
  const shown = notice.value;
  return (
    <div class="notices" role="status" aria-live="polite">
      {shown !== null && (
        <div class={`toast ${shown.tone}`}>
          <span>{shown.text}</span>
          {shown.undo !== null && (
            <button type="button" onClick={takeBack}>
              Undo
            </button>
          )}
          <button type="button" class="quiet" aria-label="Close" onClick={hide}>
            ✕
          </button>
        </div>
      )}
      {progress.value !== null && <div class="toast plain">{progress.value}</div>}
    </div>
  );
}

export function Confirmation() {
  const dialog = useRef<HTMLDialogElement>(null);
  const asked = question.value;
  useLayoutEffect(() => {
    if (asked !== null) dialog.current?.showModal();
    else dialog.current?.close();
  }, [asked]);
  const close = () => {
    question.value = null;
  };
  const closed = () => {
    if (dialog.current?.open !== true) close(); // told late, it may be open for the next question
  };
  return (
    <dialog ref={dialog} class="ask" aria-labelledby="ask-title" onClose={closed}>
      {asked !== null && (
        <>
          <h2 id="ask-title">{asked.title}</h2>
          <p>{asked.text}</p>
          <p class="buttons">
            <button type="button" class="act" onClick={close}>
              Cancel
            </button>
            <button
              type="button"
              class="act danger"
              onClick={() => {
                close();
                asked.yes();
              }}
            >
              {asked.action}
            </button>
          </p>
        </>
      )}
    </dialog>
  );
}
