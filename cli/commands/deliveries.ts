// Outbound mail: what became of it, and its next attempt.
import { z } from 'zod';
import { shortTime, table } from '#cli/command.ts';
import { asking, page, pageDefaults, pageOptions } from '#cli/ops-client.ts';
import { listDeliveries, shownDelivery } from '#ops/deliveries.ts';
import { retryOneDelivery } from '#ops/retry-delivery.ts';

const row = shownDelivery
  .pick({ id: true, domain: true, attempts: true, reason: true, nextAttemptAt: true })
  .extend({ state: z.string() });

const deliveries = asking({
  name: 'deliveries',
  usage: '[options]',
  about: 'list outbound mail, newest first',
  asks: listDeliveries,
  options: {
    state: { value: 'STATE', about: 'only what is sending, waiting, delivered, bounced or partial' },
    id: { value: 'ID', about: 'only of this message' },
    ...pageOptions,
  },
  defaults: pageDefaults,
  reads: z.object({ deliveries: z.array(row), next: z.string().nullable() }),
  shows: ({ deliveries: all, next }, { columns }) => {
    if (all.length === 0) return page('No outbound mail.', next);
    const rows = all.map(({ id, domain, state, attempts, nextAttemptAt, reason }) => [
      id,
      domain,
      state,
      String(attempts),
      nextAttemptAt === null ? '-' : shortTime(nextAttemptAt),
      reason ?? '',
    ]);
    return page(table(['ID', 'TO', 'STATE', 'ATTEMPTS', 'NEXT (UTC)', 'REASON'], rows, columns), next);
  },
});

const retry = asking({
  name: 'retry',
  usage: 'ID DOMAIN [options]',
  about: 'try a waiting delivery now',
  asks: retryOneDelivery,
  reads: z.looseObject({}),
  shows: (_, { positionals: [id, domain], self }) => `${id} for ${domain} is tried now; see "${self} trace ${id}"`,
});

/** In the order of the help. */
export const deliveryCommands = [deliveries, retry];
