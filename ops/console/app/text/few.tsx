// The first of many things in a line, and a button that shows the others: a mail to hundreds stays as readable as one to two.
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';

type FewProps<One> = {
  readonly of: readonly One[];
  readonly most: number;
  /** One of them; it brings its key. */
  readonly each: (one: One, n: number) => ComponentChildren;
};

export function Few<One>({ of: all, most, each }: FewProps<One>) {
  const isWhole = useSignal(false);
  const more = all.length - most;
  if (more <= 1) return <>{all.map(each)}</>; // a button takes no less room than one of them
  return (
    <>
      {(isWhole.value ? all : all.slice(0, most)).map(each)}{' '}
      <button
        type="button"
        class="link"
        aria-expanded={isWhole.value}
        onClick={() => {
          isWhole.value = !isWhole.value;
        }}
      >
        {isWhole.value ? 'show fewer' : `and ${more.toLocaleString('en')} others`}
      </button>
    </>
  );
}
