// Which of our domains signs a message that was submitted: the one in From if it has keys (or a parent of it, which
// aligns), else the one of the reverse-path.
import { type Domain, parseAddress } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import type { Config } from '#pipeline/config/config.ts';

/** Who submitted the message, as it says itself. */
export type Sender = {
  /** The text of each From field, with its name. */
  readonly fromFields: readonly string[];
  readonly reversePath: string;
};

/** The domain with keys, or null: nobody signs. */
export function findSigningDomain({ fromFields, reversePath }: Sender, domains: Config['domains']): Domain | null {
  const mentioned = fromFields.flatMap((text) => text.match(/@[^\s<>(),;:"\\@[\]]+/g) ?? []);
  const authors = mentioned.slice(0, 50).map((domain) => `author${domain}`);
  for (const address of [...authors, reversePath]) {
    const signer = signerOf(address, domains);
    if (signer !== null) return signer;
  }
  return null;
}

function signerOf(text: string, domains: Config['domains']): Domain | null {
  const author = parseAddress(text);
  if (isProblem(author)) return null;
  const ours = new Map(Object.entries(domains));
  const labels = author.domain.split('.');
  for (let at = 0; at < labels.length - 1; at += 1) {
    const name = labels.slice(at).join('.');
    if ((ours.get(name)?.dkim.length ?? 0) > 0) return domainOf(name);
  }
  return null;
}

function domainOf(name: string): Domain | null {
  const address = parseAddress(`postmaster@${name}`);
  return isProblem(address) ? null : address.domain;
}
