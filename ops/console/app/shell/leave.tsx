// Where a link of a message leads, before it is followed. The tab was opened by the message's frame and knows nothing of the
// page.
import { ExternalLink, TriangleAlert } from 'lucide-preact';
import { readLink } from '#ops/console/app/text/html-facts.ts';
import { Address } from '#ops/console/app/text/words.tsx';

export function Leave({ to }: { readonly to: string }) {
  const link = readLink(to, '');
  if (link === null) {
    return (
      <main class="leave">
        <h1>This link leads nowhere</h1>
        <p>Only web and mail addresses are opened.</p>
      </main>
    );
  }
  const { address, host } = link;
  const isPuny = /(?:^|\.)xn--/.test(host);
  return (
    <main class="leave">
      <h1>{host === '' ? 'Write to' : 'This link leads to'}</h1>
      {host !== '' && (
        <p class="host">
          <Address>{host}</Address>
        </p>
      )}
      <p class="whole">
        <Address>{address}</Address>
      </p>
      {isPuny && (
        <p class="notice">
          <TriangleAlert aria-hidden="true" size={15} /> Its name has letters that can look like others.
        </p>
      )}
      {address.startsWith('http:') && (
        <p class="notice">
          <TriangleAlert aria-hidden="true" size={15} /> The connection is not encrypted.
        </p>
      )}
      <p class="buttons">
        <a class="act primary" href={address} rel="noopener noreferrer" referrerpolicy="no-referrer">
          <ExternalLink aria-hidden="true" size={15} /> Open it
        </a>
        <button type="button" class="act" onClick={() => window.close()}>
          Close this tab
        </button>
      </p>
    </main>
  );
}
