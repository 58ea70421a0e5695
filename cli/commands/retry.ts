// `pillarbox retry ID DOMAIN`: a waiting delivery is tried now.
import { z } from 'zod';
import { type Command, print } from '#cli/command.ts';
import { askServerJson, serverOptions } from '#cli/ops-client.ts';

/** See the file's head. */
export const retry: Command = {
  name: 'retry',
  usage: 'ID DOMAIN [options]',
  about: 'try a waiting delivery now',
  takes: [2, 2],
  options: serverOptions,
  run: async (given, world) => {
    const [id = '', domain = ''] = given.positionals;
    const path = `/api/deliveries/${encodeURIComponent(id)}/${encodeURIComponent(domain)}/retry`;
    const answer = await askServerJson(given, world, { path, method: 'POST', shape: z.looseObject({}) });
    print(given, world, { json: answer, text: `${id} for ${domain} is tried now; see "pillarbox trace ${id}"` });
    return 0;
  },
};
