// `pillarbox replay ID`: a stored message is judged and parsed once more, as itself or into another mailbox.
import { z } from 'zod';
import { type Command, optionValue, print } from '#cli/command.ts';
import { askServerJson, serverOptions } from '#cli/ops-client.ts';

const shape = z.looseObject({
  id: z.string(),
  recipients: z.array(z.string()),
  leftOut: z.array(z.string()),
  kept: z.array(z.string()),
});

/** See the file's head. */
export const replay: Command = {
  name: 'replay',
  usage: 'ID [options]',
  about: 'judge and parse a stored message again; what is there stays, what is missing is made',
  takes: [1, 1],
  options: {
    to: { value: 'MAILBOX', about: 'into this mailbox (local@domain) instead, as a new message' },
    ...serverOptions,
  },
  run: async (given, world) => {
    const to = optionValue(given, 'to');
    const query = to === null ? '' : `?${new URLSearchParams({ to })}`;
    const path = `/api/messages/${encodeURIComponent(given.positionals[0] ?? '')}/replay${query}`;
    const replayed = await askServerJson(given, world, { path, method: 'POST', shape });
    const lines = [
      `${replayed.id} is on its way again for ${replayed.recipients.join(', ')}; see "pillarbox trace ${replayed.id}"`,
      ...replayed.leftOut.map((reason) => `left out: ${reason}`),
      ...(replayed.kept.length === 0 ? [] : ['already there, and stays as it is:']),
      ...replayed.kept.map((key) => `  ${key}`),
    ];
    print(given, world, { json: replayed, text: lines.join('\n') });
    return 0;
  },
};
