// Mail that goes out: where it stands with each destination.
import { z } from 'zod';
import { inputs, mailTool } from '#cli/mcp/mail-tool.ts';
import { oneLine } from '#cli/mcp/readable.ts';
import { shownDelivery } from '#ops/deliveries.ts';

const { id, after } = inputs;

/** As far as it is told. */
const deliverySchema = z.object(shownDelivery.shape).omit({ record: true });
const mostRecipients = 10;

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
    return {
      head: [deliveries.length === 0 ? 'No delivery fits.' : `Deliveries: ${deliveries.length}, newest first.`],
      mail: deliveries.length === 0 ? [] : [{ name: 'deliveries', text: deliveries.map(row).join('\n') }],
      notes: next === null ? [] : [`There are more: list_deliveries with the same parameters and after ${next}`],
    };
  },
});

function row({ domain, recipients, reason, ...delivery }: z.output<typeof deliverySchema>): string {
  const { id: message, state, attempts, nextAttemptAt, updatedAt } = delivery;
  const some = recipients.slice(0, mostRecipients).map((recipient) => oneLine(recipient, 200));
  return JSON.stringify({
    id: message,
    domain: oneLine(domain),
    state,
    recipients: recipients.length > some.length ? [...some, `and ${recipients.length - some.length} more`] : some,
    attempts,
    reason: reason === null ? null : oneLine(reason, 400),
    nextAttemptAt,
    updatedAt,
  });
}
