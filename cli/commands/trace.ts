// `pillarbox trace ID`: what happened to a message, and where it is now.
import { z } from 'zod';
import { type Command, plain, print } from '#cli/command.ts';
import { askServerJson, serverOptions } from '#cli/ops-client.ts';

const shape = z.looseObject({
  events: z.array(z.looseObject({ at: z.string(), text: z.string() })),
  where: z.array(z.string()),
});

/** See the file's head. */
export const trace: Command = {
  name: 'trace',
  usage: 'ID [options]',
  about: 'tell what happened to a message, and where it is now',
  takes: [1, 1],
  options: serverOptions,
  run: async (given, world) => {
    const path = `/api/messages/${encodeURIComponent(given.positionals[0] ?? '')}/trace`;
    const traced = await askServerJson(given, world, { path, shape });
    const lines = [
      ...traced.events.map(({ at, text }) => `${at}  ${plain(text)}`),
      ...traced.where.map((place) => `now: ${plain(place)}`),
    ];
    print(given, world, { json: traced, text: lines.join('\n') });
    return 0;
  },
};
