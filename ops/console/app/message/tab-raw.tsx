// The bytes of a message as they were stored, a character for each octet that is no UTF-8.
import { messagePath } from '#ops/console/app/shell/api.ts';
import { size } from '#ops/console/app/text/figures.ts';
import { visibleText } from '#ops/content/visible-text.ts';
import { Cut, useLoadedText } from './loaded.tsx';

const maxBytes = 262_144;

export function Raw({ id, bytes }: { readonly id: string; readonly bytes: number }) {
  const path = messagePath(id, null, '/raw');
  const loaded = useLoadedText(path, { maxBytes });
  if (loaded === null) return <p class="soft">Loading …</p>;
  return (
    <>
      <p class="soft">
        {size(bytes)}, as it was received. <a href={path}>Download</a> ·{' '}
        <a href={messagePath(id, null)} target="_blank" rel="noreferrer">
          JSON
        </a>
      </p>
      <pre class="text sheet-text mono">{visibleText(loaded.text)}</pre>
      <Cut loaded={loaded} href={path} />
    </>
  );
}
