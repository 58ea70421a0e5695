// The list of mail, newest first, and searches in it.
import { z } from 'zod';
import { inputs, mailOutput, mailTool, outputs } from '#cli/mcp/mail-tool.ts';
import { oneLine } from '#cli/mcp/readable.ts';
import { fewOf, shownCursor, tellRows } from '#cli/mcp/tell-rows.ts';
import { listedMessage } from '#ops/messages/list-messages.ts';

const { after } = inputs;
const { count, nextPage } = outputs;

/** As the API gives it. */
export const listSchema = z.object({ messages: z.array(listedMessage), next: z.string().nullable() });

const few = z.array(z.string()).readonly().describe('The first few, and how many more there are.');

/** A message in a list. */
export const messageRowSchema = z.strictObject({
  id: z.string(),
  receivedAt: z.string(),
  from: z.string().nullable(),
  to: few,
  mailboxes: few,
  subject: z.string().nullable(),
  preview: z.string(),
  bytes: z.int(),
  attachments: z.int(),
  read: z.boolean(),
  tags: few.optional(),
  disposition: z.literal('quarantine').optional(),
});

type MessageRow = z.output<typeof messageRowSchema>;

export const listMessages = mailTool({
  name: 'list_messages',
  title: 'List or search messages',
  about:
    'Lists the mail that came in, newest first, one line of JSON for each message; all of it, or what a search finds.',
  input: z.strictObject({
    q: z
      .string()
      .max(500)
      .optional()
      .describe(
        'A search: words, "a phrase", and fields as in from:ann to:bob subject:"order 7" has:attachment is:unread after:2026-11-27 ' +
          'before:2026-11-28 verdict:fail tag:todo larger:100k header:List-Id; - before one finds what does not have it.',
      ),
    mailbox: z.string().max(500).optional().describe('Only the mail of local@domain, or of all of @domain.'),
    limit: z.int().min(1).max(50).default(20).describe('At most so many messages.'),
    after,
  }),
  output: mailOutput({ count }, { messages: z.array(messageRowSchema).readonly(), next: nextPage }),
  run: async (ask, query) => {
    const { messages, ...page } = await ask.json(listSchema, { path: '/api/messages', query });
    const [rows, next] = [messages.map(messageRow), shownCursor(page.next)];
    return {
      ...tellRows({ tool: 'list_messages', name: 'messages', rows, next }),
      data: { count: rows.length, untrusted: { messages: rows, next } },
    };
  },
});

/** What a line says of a message. */
export function messageRow({ mailboxes, from, to, ...message }: z.output<typeof listedMessage>): MessageRow {
  const { id, receivedAt, subject, preview, bytes, attachments, read, tags, disposition } = message;
  return {
    id,
    receivedAt,
    from: from === null ? null : oneLine(from, 120),
    to: fewOf(to),
    mailboxes: fewOf(mailboxes),
    subject: subject === null ? null : oneLine(subject, 150),
    preview: oneLine(preview, 140),
    bytes,
    attachments,
    read,
    ...(tags.length === 0 ? {} : { tags: fewOf(tags) }),
    ...(disposition === 'accept' ? {} : { disposition }),
  };
}
