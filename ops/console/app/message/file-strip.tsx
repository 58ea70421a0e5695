// The attachments below a message, in one line.

import type { InboxMessage } from '#ops/console/app/shell/api.ts';
import { adjust } from '#ops/console/app/shell/router.ts';
import { size } from '#ops/console/app/text/figures.ts';
import { Words } from '#ops/console/app/text/words.tsx';

const mostShown = 8;

export function FileStrip({ message: { attachments } }: { readonly message: InboxMessage }) {
  const files = attachments.flatMap((file, n) => (file.inline ? [] : [{ ...file, n: n + 1 }]));
  if (files.length === 0) return null;
  return (
    <ul class="files" aria-label="Attachments">
      {files.slice(0, mostShown).map(({ n, filename, contentType, bytes }) => (
        <li key={n}>
          <button type="button" class="file" onClick={() => adjust({ tab: 'files', file: String(n) })}>
            <FileBadge filename={filename} contentType={contentType} />
            <span>
              <Words>{filename}</Words>
              <small>{size(bytes)}</small>
            </span>
          </button>
        </li>
      ))}
      {files.length > mostShown && (
        <li>
          <button type="button" class="file" onClick={() => adjust({ tab: 'files' })}>
            and {files.length - mostShown} more
          </button>
        </li>
      )}
    </ul>
  );
}

/** The kind of file in a few letters. */
export function FileBadge({ filename, contentType }: { readonly filename: string; readonly contentType: string }) {
  const kind =
    /\.([a-z0-9]{1,4})$/i.exec(filename)?.[1] ??
    (/^multipart\//i.test(contentType) ? '⋯' : /\/(?:x-|vnd\.)?([a-z0-9]{1,4})/i.exec(contentType)?.[1]) ??
    '?';
  return (
    <i class="badge" aria-hidden="true">
      {kind.toUpperCase()}
    </i>
  );
}
