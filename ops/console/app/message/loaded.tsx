// Text that a tab loads when it is opened.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { textOf } from '#ops/console/app/shell/api.ts';

export type Loaded = { readonly text: string; readonly isWhole: boolean };

/** Null while it loads. What cannot be loaded is told as the text. */
export function useLoadedText(path: string, options: Parameters<typeof textOf>[1]): Loaded | null {
  const loaded = useSignal<Loaded | null>(null);
  const { maxBytes, encoding } = options;
  useEffect(() => {
    let isGone = false;
    loaded.value = null;
    void textOf(path, encoding === undefined ? { maxBytes } : { maxBytes, encoding })
      .catch((thrown: unknown) => ({ text: String(thrown), isWhole: true }))
      .then((found) => {
        if (!isGone) loaded.value = found;
      });
    return () => {
      isGone = true;
    };
  }, [path, maxBytes, encoding]);
  return loaded.value;
}

/** Says so where only the beginning is shown. */
export function Cut({ loaded, href }: { readonly loaded: Loaded; readonly href: string }) {
  if (loaded.isWhole) return null;
  return (
    <p class="soft">
      This is the beginning. <a href={href}>All of it</a>
    </p>
  );
}
