// Sends a message to a capture server, which keeps it. The server itself refuses where the message could leave it.
import { z } from 'zod';
import { isCliError, refusalError } from '#cli/command.ts';
import { mailTool, outputs } from '#cli/mcp/mail-tool.ts';

const address = z.string().max(1_000);
const addresses = z.array(address).max(100).optional();

export const sendMessage = mailTool({
  name: 'send_message',
  title: 'Send a message to a capture server',
  about:
    'Sends a message, to try out what is done with mail: only to a server in capture mode, which keeps it and sends nothing on. A server that ' +
    'serves real mail refuses.',
  hints: { isReading: false, isClosed: true },
  isForCapture: true,
  input: z.strictObject({
    from: address.describe('The sender: a@b.example, or Ann <a@b.example>.'),
    to: addresses.describe('Recipients, each as the sender is written.'),
    cc: addresses,
    bcc: addresses,
    replyTo: addresses,
    subject: z.string().max(10_000).optional(),
    text: z.string().optional(),
    html: z.string().optional(),
    headers: z.record(z.string(), z.string()).optional().describe('More header fields by their names.'),
    attachments: z
      .array(
        z.strictObject({
          filename: z.string().optional(),
          contentType: z.string().optional(),
          contentId: z.string().optional().describe('What cid: in the HTML names.'),
          content: z.string().describe('The bytes as base64.'),
        }),
      )
      .max(100)
      .optional(),
  }),
  output: z.strictObject({ id: outputs.id }),
  run: async (ask, message) => {
    const { id } = await ask
      .json(z.object({ id: z.string() }), {
        path: '/api/send',
        query: { capture: 'true' },
        method: 'POST',
        json: message,
      })
      .catch((thrown: unknown) => {
        if (!isCliError(thrown) || thrown.code !== 'not-capture') throw thrown;
        throw refusalError(
          'This server serves real mail, so nothing was sent: an agent sends to a capture server alone. ' +
            `"${ask.self}" in a folder without ` +
            'pillarbox.json starts one; its --smtp and --http choose other ports, and --url of the command "mcp" names it.',
          'not-capture',
        );
      });
    return {
      head: [`Sent: message ${id}. It is captured here and goes nowhere; wait_for_message or read_message shows it.`],
      mail: [],
      data: { id },
    };
  },
});
