// The suppression list: addresses that no mail is sent to, why and until when.
import { z } from 'zod';
import { optionValue, shortTime, table, usageError } from '#cli/command.ts';
import { asking } from '#cli/ops-client.ts';
import { addSuppression, listSuppressions, removeSuppression } from '#ops/suppressions.ts';

const suppressions = asking({
  name: 'suppressions',
  usage: '[options]',
  about: 'list the suppressed addresses: for whose mail, since when, until when and why',
  asks: listSuppressions,
  defaults: { limit: '500' },
  reads: listSuppressions.gives,
  shows: ({ suppressions: all }, { columns }) => {
    const rows = all.map(({ address, sender: of, since, until, reason }) => [
      address,
      of === '*' ? 'all' : of,
      shortTime(since),
      until === null ? 'removed' : shortTime(until),
      reason,
    ]);
    const heads = ['ADDRESS', 'FOR MAIL FROM', 'SINCE (UTC)', 'UNTIL (UTC)', 'REASON'];
    return rows.length === 0 ? 'No address is suppressed.' : table(heads, rows, columns);
  },
});

const sender = { value: 'DOMAIN', about: 'for mail of this domain of yours only' };

const suppressionsAdd = asking({
  name: 'suppressions add',
  usage: 'ADDRESS --reason TEXT [options]',
  about: 'suppress an address: no mail is sent to it any more',
  asks: addSuppression,
  options: {
    reason: { value: 'TEXT', about: 'why: senders are told' },
    sender,
    days: { value: 'N', about: 'for so many days (default: until it is removed)' },
  },
  check: (given) => {
    if (optionValue(given, 'reason') === null) throw usageError('say why: --reason TEXT');
  },
  reads: z.looseObject({}),
  shows: (_, { positionals: [address] }) => `${address} is suppressed: no mail is sent to it`,
});

const suppressionsRemove = asking({
  name: 'suppressions remove',
  usage: 'ADDRESS [options]',
  about: 'take an address off the suppression list',
  asks: removeSuppression,
  options: { sender },
  reads: z.looseObject({}),
  shows: (_, { positionals: [address] }) => `${address} is suppressed no more`,
});

/** In the order of the help. */
export const suppressionCommands = [suppressionsAdd, suppressionsRemove, suppressions];
