// Bounces go to the address that a user sends from. If that is in one of our domains, it needs a mailbox there.
import { type EmailAddress, mailboxName, parseAddress, splitTag } from '#mail/address/address.ts';
import { routeRecipient } from '#mail/envelope/route-recipient.ts';
import { isProblem } from '#mail/problem.ts';
import type { Config } from '#pipeline/config/config.ts';
import { appendToArray, writtenDomain } from '#pipeline/config/edit-config.ts';

type User = { readonly name: string; readonly mayFrom: readonly string[] };

/** The addresses of a user, each once, that are in domains of ours and lead nowhere. `*@domain` names none. */
export function addressesWithoutMailbox(config: Config, { name, mayFrom }: User): readonly EmailAddress[] {
  const found = new Map<string, EmailAddress>();
  for (const text of [name, ...mayFrom]) {
    const address = parseAddress(text);
    if (isProblem(address) || text.includes('*') || !Object.hasOwn(config.domains, address.domain)) continue;
    const isUnknown = routeRecipient(config, address, { mayRelay: false }).outcome === 'refused';
    const mailbox = `${mailboxOf(address)}@${address.domain}`;
    if (isUnknown && !found.has(mailbox)) found.set(mailbox, address);
  }
  return [...found.values()];
}

/** The name of the mailbox that an address needs: without its tag, in lower case. */
export function mailboxOf({ localPart }: EmailAddress): string {
  return mailboxName(splitTag(localPart).name);
}

/** The text of a configuration with one more mailbox; the rest stays as its author wrote it. */
export function addMailbox(text: string, address: EmailAddress): string {
  return appendToArray(text, ['domains', writtenDomain(text, address.domain), 'mailboxes'], mailboxOf(address));
}
