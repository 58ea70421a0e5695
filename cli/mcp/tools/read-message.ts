// One message: text, code, links, attachments.
import { z } from 'zod';
import { bodyKinds, mailSchema } from '#cli/mcp/mail-content.ts';
import { inputs, mailTool } from '#cli/mcp/mail-tool.ts';
import { messageOutput } from '#cli/mcp/message-data.ts';
import { tellMessage } from '#cli/mcp/tell-message.ts';

const { id, mailbox, offset, limit } = inputs;

export const readMessage = mailTool({
  name: 'read_message',
  title: 'Read a message',
  about:
    'Reads one message: From, To, subject, the one-time code if there is one, the text, links and attachments. A long text comes in pages. ' +
    'It stays unread.',
  input: z.strictObject({
    id,
    mailbox,
    body: z
      .enum(bodyKinds)
      .optional()
      .describe(
        'Which body: its text, its HTML as a reader sees it, or the HTML itself. Left out: the text, or if there is none the HTML as text.',
      ),
    headers: z.boolean().default(false).describe('Whether to list all header fields.'),
    offset,
    limit,
  }),
  output: messageOutput,
  run: async (ask, { id: message, mailbox: copy, body = null, ...told }) =>
    tellMessage(ask, await ask.json(mailSchema, { path: `/api/messages/${message}`, query: { mailbox: copy } }), {
      body,
      ...told,
    }),
});
