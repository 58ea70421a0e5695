// The tree of MIME parts, as the message declares them.
import { messagePath } from '#ops/console/app/shell/api.ts';
import { size } from '#ops/console/app/text/figures.ts';
import { type MimePart, mimeTree } from '#ops/console/app/text/mime-tree.ts';
import { Words } from '#ops/console/app/text/words.tsx';
import { FileBadge } from './file-strip.tsx';
import { Cut, useLoadedText } from './loaded.tsx';
import type { TabProps } from './message-state.ts';

const maxBytes = 8_388_608;

export function Parts({ message: { id } }: TabProps) {
  const path = messagePath(id, null, '/raw');
  const loaded = useLoadedText(path, { maxBytes, encoding: 'latin1' });
  if (loaded === null) return <p class="soft">Loading …</p>;
  return (
    <>
      <ul class="tree">
        <Part part={mimeTree(loaded.text)} />
      </ul>
      <Cut loaded={loaded} href={path} />
    </>
  );
}

function Part({ part }: { readonly part: MimePart }) {
  const { type, filename, disposition, encoding, charset, bytes, parts } = part;
  const facts = [disposition, charset, encoding, size(bytes)].filter((fact) => fact !== null).join(' · ');
  return (
    <li>
      <div class="part">
        <FileBadge filename="" contentType={type} />
        <span>
          <b>
            <Words>{type}</Words>
          </b>{' '}
          {filename !== null && <Words>{filename}</Words>}
          <small>
            <Words>{facts}</Words>
          </small>
        </span>
      </div>
      {parts.length > 0 && (
        <ul>
          {parts.map((one, n) => (
            <Part key={n} part={one} />
          ))}
        </ul>
      )}
    </li>
  );
}
