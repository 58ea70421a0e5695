// Mail that goes out: where it stands with each destination.
import { z } from 'zod';
import { inputs, mailTool } from '#cli/mcp/mail-tool.ts';
import { oneLine } from '#cli/mcp/readable.ts';
import { fewOf, tellRows } from '#cli/mcp/tell-rows.ts';
import { shownDelivery } from '#ops/deliveries.ts';

const { id, after } = inputs;

/** As far as it is told. */
const deliverySchema = z.object(shownDelivery.shape).omit({ record: true });

export const listDeliveries = mailTool({
  name: 'list_deliveries',
  title: 'List outbound deliveries',
  about:
    'Lists mail that the server sends to other servers, newest first, one line of JSON for each message and domain: its state, the attempts, and ' +
    'why it waits or failed. explain_message tells each attempt. A capture server sends nothing, so it has none.',
  input: z.strictObject({
    state: deliverySchema.shape.state.optional().describe('Only those in this state.'),
    id: id.optional().describe('Only those of this message.'),
    limit: z.int().min(1).max(50).default(20).describe('At most so many.'),
    after,
  }),
  run: async (ask, query) => {
    const reads = z.object({ deliveries: z.array(deliverySchema), next: z.string().nullable() });
    const { deliveries, next } = await ask.json(reads, { path: '/api/deliveries', query });
    return tellRows({ tool: 'list_deliveries', name: 'deliveries', rows: deliveries.map(deliveryRow), next });
  },
});

function deliveryRow({ domain, recipients, reason, ...delivery }: z.output<typeof deliverySchema>): object {
  const { id: message, state, attempts, nextAttemptAt, updatedAt } = delivery;
  return {
    id: message,
    domain: oneLine(domain),
    state,
    recipients: fewOf(recipients, 5),
    attempts,
    reason: reason === null ? null : oneLine(reason),
    nextAttemptAt,
    updatedAt,
  };
}
