// Which of our domains signs a message that was submitted: the one in From if it has keys (or a parent of it, which
// aligns), else the one of the reverse-path.
import { type Domain, parseAddress, parseDomain } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import type { Config } from './config.ts';

/** Who submitted the message, as it says itself. */
export type Sender = { readonly authorDomains: readonly Domain[]; readonly reversePath: string };

/** The domain with keys, or null: nobody signs. */
export function findSigningDomain({ authorDomains, reversePath }: Sender, domains: Config['domains']): Domain | null {
  const sender = parseAddress(reversePath);
  for (const domain of [...authorDomains, ...(isProblem(sender) ? [] : [sender.domain])]) {
    const signer = signerOf(domain, domains);
    if (signer !== null) return signer;
  }
  return null;
}

function signerOf(domain: Domain, domains: Config['domains']): Domain | null {
  const ours = new Map(Object.entries(domains));
  const labels = domain.split('.');
  const parents = labels.slice(0, -1).map((_, at) => labels.slice(at).join('.'));
  const name = parents.find((parent) => (ours.get(parent)?.dkim.length ?? 0) > 0);
  const signer = name === undefined ? null : parseDomain(name);
  return signer === null || isProblem(signer) ? null : signer;
}
