// What an alias would send outside is held to the same policy as what it would put into a mailbox: a forged message must not
// leave by our hosts, under a return address of ours, as if we vouched for it.
import { mailboxName, parseAddress, splitTag } from '#mail/address/address.ts';
import type { RoutedRecipient } from '#mail/envelope/recipient.ts';
import { isProblem } from '#mail/problem.ts';
import type { Disposition } from '#pipeline/contract/jobs.ts';

/**
 * The recipients with their forwards held back where the alias's domain quarantines the message: it lands in the
 * quarantine of the alias itself, or only in that of the mailboxes the alias also leads to. Pure.
 */
export function holdForwards(
  recipients: readonly RoutedRecipient[],
  dispositionFor: (domain: string) => Disposition,
): RoutedRecipient[] {
  const inMailboxes = new Set(
    recipients.flatMap(({ route, forwardPath }) => (route.kind === 'mailbox' ? [forwardPath] : [])),
  );
  return recipients.flatMap((recipient): RoutedRecipient[] => {
    const { route, forwardPath } = recipient;
    if (route.kind !== 'forward') return [recipient];
    const alias = parseAddress(forwardPath);
    // The listener parsed it before it said 250: this would be our own bug.
    if (isProblem(alias)) throw new Error(`a recipient that is not an address: ${alias.problem}`);
    if (dispositionFor(alias.domain).action === 'quarantine') {
      if (inMailboxes.has(forwardPath)) return [];
      const { name, tag } = splitTag(alias.localPart);
      const mailbox = { domain: alias.domain, localPart: mailboxName(name), tag };
      return [{ ...recipient, route: { kind: 'mailbox', mailbox } }];
    }
    return [recipient];
  });
}
