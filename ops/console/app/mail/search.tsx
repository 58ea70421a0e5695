// The search box, with suggestions for the field or value at the caret (the combobox pattern of ARIA 1.2).
import { effect, useSignal } from '@preact/signals';
import { Search, X } from 'lucide-preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { mailboxes } from '#ops/console/app/shell/live.ts';
import { adjust, goTo, place, search } from '#ops/console/app/shell/router.ts';
import { fromText } from '#ops/console/app/text/from-text.ts';
import { complete, type Suggestion, suggest } from '#ops/console/app/text/search-words.ts';
import { Words } from '#ops/console/app/text/words.tsx';
import { list } from './list-state.ts';

const typingMs = 250;
/** `/` goes there. */
export const searchFieldId = 'search';

export function SearchBox() {
  const { input, found, chosen, notice, press, take, clear, close } = useSuggestions();
  return (
    <search class="find">
      <Search aria-hidden="true" size={16} />
      <input
        ref={input}
        id={searchFieldId}
        type="text"
        role="combobox"
        aria-label="Search mail"
        aria-expanded={found.length > 0}
        aria-controls="suggestions"
        aria-autocomplete="list"
        aria-activedescendant={chosen >= 0 ? `suggestion-${chosen}` : undefined}
        placeholder="Search mail"
        autocomplete="off"
        spellcheck={false}
        onInput={notice}
        onClick={notice}
        onKeyDown={press}
        onBlur={close}
      />
      {search.value === '' ? (
        <kbd>/</kbd>
      ) : (
        <button type="button" class="icon" aria-label="Clear the search" onClick={clear}>
          <X aria-hidden="true" size={16} />
        </button>
      )}
      <Suggestions found={found} chosen={chosen} take={take} />
    </search>
  );
}

/** What is typed is searched for after a moment; what is suggested is taken with the arrow keys and Enter, or a click. */
function useSuggestions() {
  const input = useRef<HTMLInputElement>(null);
  const isOpen = useSignal(false);
  const caret = useSignal(0);
  const chosen = useSignal(-1);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useLayoutEffect(
    () =>
      effect(() => {
        const { value } = search;
        const { current } = input;
        if (current !== null && current.value.trim() !== value) current.value = value;
      }),
    [],
  );
  const found = isOpen.value ? suggest(input.current?.value ?? '', caret.value, known()) : [];
  const close = (): void => {
    isOpen.value = false;
  };
  const begin = (): void => {
    clearTimeout(timer.current);
    searchFor(input.current?.value.trim() ?? '');
  };
  const notice = (): void => {
    caret.value = input.current?.selectionStart ?? 0;
    chosen.value = -1;
    isOpen.value = true;
    clearTimeout(timer.current);
    timer.current = setTimeout(begin, typingMs);
  };
  const take = (one: Suggestion): void => {
    const { current } = input;
    if (current === null) return;
    const next = complete(current.value, current.selectionStart ?? current.value.length, one.text);
    current.value = next.text;
    current.focus();
    current.setSelectionRange(next.caret, next.caret);
    notice();
  };
  const press = (event: KeyboardEvent): void => {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    const one = found[chosen.value];
    if (by !== 0 && found.length > 0) {
      event.preventDefault();
      chosen.value = Math.max(-1, Math.min(found.length - 1, chosen.value + by));
    } else if ((event.key === 'Enter' || event.key === 'Tab') && one !== undefined) {
      event.preventDefault();
      take(one);
    } else if (event.key === 'Enter') {
      close();
      begin();
    } else if (event.key === 'Escape') {
      if (!isOpen.value) input.current?.blur();
      close();
    }
  };
  const clear = (): void => {
    if (input.current !== null) input.current.value = '';
    begin();
    input.current?.focus();
  };
  return { input, found, chosen: chosen.value, notice, press, take, clear, close };
}

function searchFor(q: string): void {
  if (q === search.value || /(?:^|\s)-?\w+:$/.test(q)) return; // a field that waits for its value
  if (place.value.view === 'mail') adjust({ q });
  else goTo({ view: 'mail', query: { q } });
}

type SuggestionsProps = {
  readonly found: readonly Suggestion[];
  readonly chosen: number;
  readonly take: (one: Suggestion) => void;
};

function Suggestions({ found, chosen, take }: SuggestionsProps) {
  return (
    <div id="suggestions" role="listbox" aria-label="Suggestions" class="suggestions" hidden={found.length === 0}>
      {found.map((one, n) => (
        <div
          key={one.text}
          id={`suggestion-${n}`}
          role="option"
          tabIndex={-1}
          aria-selected={n === chosen}
          onMouseDown={(event) => {
            event.preventDefault(); // the field keeps the focus
            take(one);
          }}
        >
          <b>
            <Words>{one.text}</Words>
          </b>
          <small>{one.about}</small>
        </div>
      ))}
    </div>
  );
}

function known() {
  const senders = list.value.messages.map(({ from }) => fromText(from ?? '').address).filter((one) => one !== '');
  return {
    mailboxes: mailboxes.value.mailboxes.map(({ name }) => name),
    tags: mailboxes.value.tags.map(({ name }) => name),
    senders: [...new Set(senders)],
  };
}
