// `pillarbox deliveries`: mail on its way out, newest first: what became of it, and what is tried next.
import { z } from 'zod';
import { type Command, optionValue, print, table } from '#cli/command.ts';
import { askServerJson, serverOptions } from '#cli/ops-client.ts';

const shape = z.looseObject({
  deliveries: z.array(
    z.looseObject({
      id: z.string(),
      domain: z.string(),
      state: z.string(),
      recipients: z.array(z.string()),
      attempts: z.number(),
      reason: z.string().nullable(),
      nextAttemptAt: z.string().nullable(),
    }),
  ),
  next: z.string().nullable(),
});

/** See the file's head. */
export const deliveries: Command = {
  name: 'deliveries',
  usage: '[options]',
  about: 'list outbound mail, newest first',
  takes: [0, 0],
  options: {
    state: { value: 'STATE', about: 'only what is sending, waiting, delivered, bounced or partial' },
    id: { value: 'ID', about: 'only of this message' },
    limit: { value: 'N', about: 'at most so many (default 20)' },
    after: { value: 'NEXT', about: 'the page after: "next" of the one before' },
    ...serverOptions,
  },
  run: async (given, world) => {
    const query = new URLSearchParams({ limit: optionValue(given, 'limit') ?? '20' });
    for (const name of ['state', 'id', 'after']) {
      const value = optionValue(given, name);
      if (value !== null) query.set(name, value);
    }
    const page = await askServerJson(given, world, { path: `/api/deliveries?${query}`, shape });
    const rows = page.deliveries.map(({ id, domain, state, attempts, nextAttemptAt, reason }) => [
      id,
      domain,
      state,
      String(attempts),
      nextAttemptAt === null ? '-' : shortTime(nextAttemptAt),
      reason ?? '',
    ]);
    const heads = ['ID', 'TO', 'STATE', 'TRIES', 'NEXT (UTC)', 'WHY'];
    const text = rows.length === 0 ? 'No outbound mail.\n' : table(heads, rows);
    const more = page.next === null ? '' : `\nOlder: --after ${page.next}\n`;
    print(given, world, { json: page, text: `${text}${more}` });
    return 0;
  },
};

function shortTime(at: string): string {
  return at.slice(0, 19).replace('T', ' ');
}
