// The plain text of a message.
import { messagePath } from '#ops/console/app/shell/api.ts';
import { visibleText } from '#ops/content/visible-text.ts';
import { FileStrip } from './file-strip.tsx';
import { Cut, useLoadedText } from './loaded.tsx';
import type { TabProps } from './message-state.ts';

const maxBytes = 1_048_576;

export function Text({ message, copy }: TabProps) {
  const { text } = message;
  return (
    <>
      {text === null && <p class="soft">The message has no text.</p>}
      {typeof text === 'string' && <pre class="text sheet-text">{visibleText(text)}</pre>}
      {text !== null && typeof text !== 'string' && <LongText path={messagePath(message.id, copy, '/text')} />}
      <FileStrip message={message} />
    </>
  );
}

function LongText({ path }: { readonly path: string }) {
  const loaded = useLoadedText(path, { maxBytes });
  if (loaded === null) return <p class="soft">Loading …</p>;
  return (
    <>
      <pre class="text sheet-text">{visibleText(loaded.text)}</pre>
      <Cut loaded={loaded} href={path} />
    </>
  );
}
