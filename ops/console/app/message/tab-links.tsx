// Where the links of a message lead, in full.
import { TriangleAlert } from 'lucide-preact';
import { Address, Words } from '#ops/console/app/text/words.tsx';
import { facts } from './message-state.ts';

export function Links() {
  const { links } = facts.value;
  if (links.length === 0) return <p class="soft">The message has no links that lead anywhere.</p>;
  return (
    <ol class="links">
      {links.map(({ address, text, host, isMisleading }, n) => (
        <li key={`${n} ${address}`}>
          <b>
            <Words>{text || '(a picture)'}</Words>
          </b>
          {isMisleading && (
            <span class="tag bad">
              <TriangleAlert aria-hidden="true" size={12} /> leads to <Address>{host}</Address>
            </span>
          )}
          <a href={address} target="_blank" rel="noopener noreferrer" referrerpolicy="no-referrer">
            <Address>{address}</Address>
          </a>
        </li>
      ))}
    </ol>
  );
}
