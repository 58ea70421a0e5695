// `pillarbox list`: what came in, newest first.
import { z } from 'zod';
import { type Command, optionValue, print, table } from '#cli/command.ts';
import { askServerJson, serverOptions } from '#cli/ops-client.ts';

const shape = z.looseObject({
  messages: z.array(
    z.looseObject({
      id: z.string(),
      receivedAt: z.string(),
      mailboxes: z.array(z.string()),
      from: z.string().nullable(),
      subject: z.string().nullable(),
      disposition: z.string(),
      bytes: z.number(),
    }),
  ),
  next: z.string().nullable(),
});

/** See the file's head. */
export const list: Command = {
  name: 'list',
  usage: '[options]',
  about: 'list the mail that came in, newest first',
  takes: [0, 0],
  options: {
    mailbox: { value: 'MAILBOX', about: 'only that of local@domain, or of @domain' },
    q: { value: 'WORDS', about: 'only that with these words in sender, recipient, subject or text' },
    limit: { value: 'N', about: 'at most so many (default 20)' },
    after: { value: 'NEXT', about: 'the page after: "next" of the one before' },
    ...serverOptions,
  },
  run: async (given, world) => {
    const query = new URLSearchParams({ limit: optionValue(given, 'limit') ?? '20' });
    for (const name of ['mailbox', 'q', 'after']) {
      const value = optionValue(given, name);
      if (value !== null) query.set(name, value);
    }
    const page = await askServerJson(given, world, { path: `/api/messages?${query}`, shape });
    const rows = page.messages.map(({ id, receivedAt, from, mailboxes, subject, disposition }) => [
      id,
      receivedAt.slice(0, 19).replace('T', ' '),
      from ?? '(nobody)',
      mailboxes.join(','),
      `${disposition === 'quarantine' ? '[quarantine] ' : ''}${subject ?? '(no subject)'}`,
    ]);
    const more = page.next === null ? '' : `\nOlder: --after ${page.next}\n`;
    const text = rows.length === 0 ? 'No mail.\n' : table(['ID', 'RECEIVED (UTC)', 'FROM', 'MAILBOX', 'SUBJECT'], rows);
    print(given, world, { json: page, text: `${text}${more}` });
    return 0;
  },
};
