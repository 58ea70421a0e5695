// All links of a message: where they lead, and what a reader sees of them.
import { z } from 'zod';
import { mailSchema, readBodies } from '#cli/mcp/mail-content.ts';
import { inputs, mailTool } from '#cli/mcp/mail-tool.ts';
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
  run: async (ask, { id: message, mailbox: copy, first }) => {
    const mail = await ask.json(mailSchema, { path: `/api/messages/${message}`, query: { mailbox: copy } });
    const { text, html } = await readBodies(ask, mail);
    const links = labelledLinks({ text: text.text, html: html.text });
    const { text: lines, left } = linesWithin(links.map(linkLine).slice(first - 1), room);
    const next = links.length - left + 1;
    return {
      head: [`Message ${mail.id} has ${links.length} links.`],
      mail: lines === '' ? [] : [{ name: 'links', text: lines }],
      notes: [
        ...(left === 0 ? [] : [`The list is cut and goes on: list_links with id ${mail.id}, first ${next}.`]),
        ...(text.isCut || html.isCut ? ['The message is very long: links at its end are not among them.'] : []),
      ],
    };
  },
});
