// `pillarbox suppressions` and `suppressions remove`: addresses that hard-bounced and are not written to.
import { z } from 'zod';
import { type Command, print, table } from '#cli/command.ts';
import { askServerJson, serverOptions } from '#cli/ops-client.ts';

const shape = z.looseObject({
  suppressions: z.array(z.looseObject({ address: z.string(), since: z.string(), reason: z.string().optional() })),
  next: z.string().nullable(),
});

/** The list. */
export const suppressions: Command = {
  name: 'suppressions',
  usage: '[options]',
  about: 'list the addresses that bounced and are not written to any more',
  takes: [0, 0],
  options: serverOptions,
  run: async (given, world) => {
    const page = await askServerJson(given, world, { path: '/api/suppressions?limit=500', shape });
    const rows = page.suppressions.map(({ address, since, reason }) => [address, since, reason ?? '']);
    const text = rows.length === 0 ? 'No address is suppressed.' : table(['ADDRESS', 'SINCE', 'WHY'], rows);
    print(given, world, { json: page, text });
    return 0;
  },
};

/** Takes one off it. */
export const suppressionsRemove: Command = {
  name: 'suppressions remove',
  usage: 'ADDRESS [options]',
  about: 'write to an address again',
  takes: [1, 1],
  options: serverOptions,
  run: async (given, world) => {
    const address = given.positionals[0] ?? '';
    const path = `/api/suppressions/${encodeURIComponent(address)}`;
    const answer = await askServerJson(given, world, { path, method: 'DELETE', shape: z.looseObject({}) });
    print(given, world, { json: answer, text: `${address} is written to again` });
    return 0;
  },
};
