// `pillarbox suppressions`, `suppressions add` and `suppressions remove`: addresses that are not written to, why and until when.
import { z } from 'zod';
import { type CliArguments, type Command, cliError, optionValue, print, table } from '#cli/command.ts';
import { askServerJson, serverOptions } from '#cli/ops-client.ts';

const shape = z.looseObject({
  suppressions: z.array(
    z.looseObject({
      address: z.string(),
      sender: z.string(),
      since: z.string(),
      until: z.string().nullable(),
      reason: z.string(),
    }),
  ),
  next: z.string().nullable(),
});

/** The list. */
export const suppressions: Command = {
  name: 'suppressions',
  usage: '[options]',
  about: 'list the addresses that are not written to: for whose mail, since when, until when and why',
  takes: [0, 0],
  options: serverOptions,
  run: async (given, world) => {
    const page = await askServerJson(given, world, { path: '/api/suppressions?limit=500', shape });
    const rows = page.suppressions.map(({ address, sender, since, until, reason }) => [
      address,
      sender === '*' ? 'all' : sender,
      minute(since),
      until === null ? 'removed' : minute(until),
      reason,
    ]);
    const heads = ['ADDRESS', 'FOR MAIL FROM', 'SINCE', 'UNTIL', 'WHY'];
    print(given, world, { json: page, text: rows.length === 0 ? 'No address is suppressed.' : table(heads, rows) });
    return 0;
  },
};

const sender = { value: 'DOMAIN', about: 'for mail of this domain of yours only' };

/** Puts one on it. */
export const suppressionsAdd: Command = {
  name: 'suppressions add',
  usage: 'ADDRESS --reason TEXT [options]',
  about: 'write to an address no more',
  takes: [1, 1],
  options: {
    reason: { value: 'TEXT', about: 'why: senders are told' },
    sender,
    days: { value: 'N', about: 'for so many days (default: until it is removed)' },
    ...serverOptions,
  },
  run: async (given, world) => {
    if (optionValue(given, 'reason') === null) throw cliError('say why: --reason TEXT', 'usage', 2);
    const address = given.positionals[0] ?? '';
    const path = pathOf(address, given, ['reason', 'sender', 'days']);
    const answer = await askServerJson(given, world, { path, method: 'POST', shape: z.looseObject({}) });
    print(given, world, { json: answer, text: `${address} is not written to any more` });
    return 0;
  },
};

/** Takes one off it. */
export const suppressionsRemove: Command = {
  name: 'suppressions remove',
  usage: 'ADDRESS [options]',
  about: 'write to an address again',
  takes: [1, 1],
  options: { sender, ...serverOptions },
  run: async (given, world) => {
    const address = given.positionals[0] ?? '';
    const path = pathOf(address, given, ['sender']);
    const answer = await askServerJson(given, world, { path, method: 'DELETE', shape: z.looseObject({}) });
    print(given, world, { json: answer, text: `${address} is written to again` });
    return 0;
  },
};

function pathOf(address: string, given: CliArguments, names: readonly string[]): string {
  const query = new URLSearchParams();
  for (const name of names) {
    const value = optionValue(given, name);
    if (value !== null) query.set(name, value);
  }
  const path = `/api/suppressions/${encodeURIComponent(address)}`;
  return query.size === 0 ? path : `${path}?${query}`;
}

function minute(at: string): string {
  return at.slice(0, 16).replace('T', ' ');
}
