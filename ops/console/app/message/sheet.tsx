// A sheet below the buttons of a message: what an action asks for before it is done, or what came of it.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

type SheetProps = {
  readonly submit?: (event: SubmitEvent) => void;
  readonly close: () => void;
  readonly children: ComponentChildren;
};

/** Its first field has the focus, or itself if it has none. Escape closes it, and leads back to the button that opened it. */
export function Sheet({ submit, close, children }: SheetProps) {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => (form.current?.querySelector('input') ?? form.current)?.focus(), []);
  const leave = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return;
    event.stopPropagation(); // the message stays open
    form.current?.parentElement?.querySelector<HTMLElement>('[aria-expanded=true]')?.focus();
    close();
  };
  return (
    <form ref={form} class="sheet" tabIndex={-1} onSubmit={submit} onKeyDown={leave}>
      {children}
    </form>
  );
}
