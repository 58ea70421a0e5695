// Mail that goes out: where it stands with each destination.
import { z } from 'zod';
import { inputs, mailOutput, mailTool, outputs } from '#cli/mcp/mail-tool.ts';
import { oneLine } from '#cli/mcp/readable.ts';
import { fewOf, shownCursor, tellRows } from '#cli/mcp/tell-rows.ts';
import { shownDelivery } from '#ops/deliveries.ts';

const { id, after } = inputs;
const { count, nextPage } = outputs;

/** As far as it is told. */
const deliverySchema = z.object(shownDelivery.shape).omit({ record: true });

const rowSchema = z.strictObject({
  id: z.string(),
  domain: z.string(),
  state: deliverySchema.shape.state,
  recipients: z.array(z.string()).readonly(),
  attempts: z.int(),
  reason: z.string().nullable(),
  nextAttemptAt: z.string().nullable(),
  updatedAt: z.string(),
});

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
  output: mailOutput({ count }, { deliveries: z.array(rowSchema).readonly(), next: nextPage }),
  run: async (ask, query) => {
    const reads = z.object({ deliveries: z.array(deliverySchema), next: z.string().nullable() });
    const { deliveries, ...page } = await ask.json(reads, { path: '/api/deliveries', query });
    const [rows, next] = [deliveries.map(deliveryRow), shownCursor(page.next)];
    return {
      ...tellRows({ tool: 'list_deliveries', name: 'deliveries', rows, next }),
      data: { count: rows.length, untrusted: { deliveries: rows, next } },
    };
  },
});

type Row = z.output<typeof rowSchema>;

function deliveryRow({ domain, recipients, reason, ...delivery }: z.output<typeof deliverySchema>): Row {
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
