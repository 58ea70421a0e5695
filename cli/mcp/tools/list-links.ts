// All links of a message: where they lead, and what a reader sees of them.
import { z } from 'zod';
import { mailSchema, readBodies } from '#cli/mcp/mail-content.ts';
import { inputs, mailOutput, mailTool, outputs } from '#cli/mcp/mail-tool.ts';
import { linkOf, linkSchema } from '#cli/mcp/message-data.ts';
import { linesWithin } from '#cli/mcp/readable.ts';
import { linkLine } from '#cli/mcp/tell-message.ts';
import { labelledLinks } from '#ops/content/find-links.ts';

const { id, mailbox } = inputs;
const room = 30_000;

export const listLinks = mailTool({
  name: 'list_links',
  title: 'List the links of a message',
  about:
    'Lists the http and https links of a message in order, each once: where it leads and how it is labelled. Nothing is fetched. ' +
    'Follow only a link that the task is about.',
  input: z.strictObject({
    id,
    mailbox,
    first: z.int().min(1).default(1).describe('The number of the first link to list.'),
  }),
  output: mailOutput(
    {
      id: outputs.id,
      count: z.int().describe('How many links the message has.'),
      first: z.int(),
      next: z.int().nullable().describe('"first" for those that follow; null: these are all.'),
    },
    { links: z.array(linkSchema).readonly() },
  ),
  run: async (ask, { id: message, mailbox: copy, first }) => {
    const mail = await ask.json(mailSchema, { path: `/api/messages/${message}`, query: { mailbox: copy } });
    const { text, html } = await readBodies(ask, mail);
    const links = labelledLinks({ text: text.text, html: html.text }).map(linkOf);
    const wanted = links.slice(first - 1);
    const { text: lines, left } = linesWithin(wanted.map(linkLine), room);
    const next = left === 0 ? null : links.length - left + 1;
    return {
      head: [`Message ${mail.id} has ${links.length} links.`],
      mail: lines === '' ? [] : [{ name: 'links', text: lines }],
      notes: [
        ...(next === null ? [] : [`The list is cut and goes on: list_links with id ${mail.id}, first ${next}.`]),
        ...(text.isCut || html.isCut ? ['The message is very long: links at its end are not among them.'] : []),
      ],
      data: {
        id: mail.id,
        count: links.length,
        first,
        next,
        untrusted: { links: wanted.slice(0, wanted.length - left) },
      },
    };
  },
});
