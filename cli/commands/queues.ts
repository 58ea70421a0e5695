// `pillarbox queues`, `redrive`, `purge`: jobs waiting, and those given up.
import { z } from 'zod';
import { type Command, cliError, print, table } from '#cli/command.ts';
import { askServerJson, serverOptions } from '#cli/ops-client.ts';

const count = z.number();
const queuesShape = z.array(
  z.looseObject({
    name: z.string(),
    ready: count,
    delayed: count,
    inFlight: count,
    dead: count,
    oldestSeconds: count.nullable(),
    faults: z.array(z.looseObject({ reason: z.string(), jobs: count, retryAt: z.string() })).default([]),
  }),
);
const changedShape = z.looseObject({ queue: z.string(), jobs: z.number() });

/** Jobs on every queue. */
export const queues: Command = {
  name: 'queues',
  usage: '[options]',
  about: 'show how many jobs wait, and how many were given up',
  takes: [0, 0],
  options: serverOptions,
  run: async (given, world) => {
    const all = await askServerJson(given, world, { path: '/api/queues', shape: queuesShape });
    const rows = all.map(({ name, ready, delayed, inFlight, dead, oldestSeconds }) => [
      name,
      ...[ready, delayed, inFlight, dead].map(String),
      oldestSeconds === null ? '-' : `${Math.round(oldestSeconds)} s`,
    ]);
    const faults = all.flatMap(({ name, faults: held }) =>
      held.map(
        ({ reason, jobs, retryAt }) =>
          `${name}: ${jobs} wait until this is mended: ${reason} (tried again at ${retryAt})`,
      ),
    );
    const counts = table(['QUEUE', 'READY', 'LATER', 'IN WORK', 'GIVEN UP', 'LONGEST WAIT'], rows);
    print(given, world, { json: all, text: faults.length === 0 ? counts : `${counts}\n\n${faults.join('\n')}` });
    return 0;
  },
};

/** Dead letters are tried again. */
export const redrive: Command = {
  name: 'redrive',
  usage: 'QUEUE [options]',
  about: 'try the jobs that were given up again, and at once those that wait for a fault of ours',
  takes: [1, 1],
  options: serverOptions,
  run: async (given, world) => {
    const path = `/api/queues/${encodeURIComponent(given.positionals[0] ?? '')}/redrive`;
    const changed = await askServerJson(given, world, { path, method: 'POST', shape: changedShape });
    print(given, world, { json: changed, text: `${changed.jobs} jobs of ${changed.queue} are tried again` });
    return 0;
  },
};

/** Dead letters are thrown away, if it is said twice. */
export const purge: Command = {
  name: 'purge',
  usage: 'QUEUE --yes [options]',
  about: 'throw the jobs that were given up away (the messages stay stored)',
  takes: [1, 1],
  options: { yes: { value: null, about: 'really do it' }, ...serverOptions },
  run: async (given, world) => {
    const queue = given.positionals[0] ?? '';
    if (!given.switches.has('yes')) {
      throw cliError(`this throws away what was given up on ${queue}: say --yes if that is meant`, 'not-confirmed', 2);
    }
    const path = `/api/queues/${encodeURIComponent(queue)}/purge`;
    const changed = await askServerJson(given, world, { path, method: 'POST', shape: changedShape });
    print(given, world, { json: changed, text: `${changed.jobs} jobs of ${changed.queue} were thrown away` });
    return 0;
  },
};
