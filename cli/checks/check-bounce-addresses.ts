// Whether the users' bounces have a mailbox to go to.
import { addressesWithoutMailbox, mailboxOf } from '#cli/bounce-addresses.ts';
import { formatAddress } from '#mail/address/address.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { Finding } from './finding.ts';

/** See the file's head. */
export function checkBounceAddresses(config: Config): readonly Finding[] {
  return config.users.flatMap((user) =>
    addressesWithoutMailbox(config, user).map((address) => ({
      level: 'advice' as const,
      what: `user ${user.name} sends as ${formatAddress(address)}, which has no mailbox: bounces to it are lost`,
      publish: `add "${mailboxOf(address)}" to domains.${address.domain}.mailboxes (or an alias), and nobody misses them`,
    })),
  );
}
