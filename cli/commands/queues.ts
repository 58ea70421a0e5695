// The queues: jobs waiting on them, and their dead letters.
import { z } from 'zod';
import { cliError, table } from '#cli/command.ts';
import { asking } from '#cli/ops-client.ts';
import { queueCountsSchema } from '#ops/admin.ts';
import { listQueues, purgeDead, redriveDead } from '#ops/queues.ts';

const row = queueCountsSchema.extend({ name: z.string(), faults: queueCountsSchema.shape.faults.default([]) });

const queues = asking({
  name: 'queues',
  usage: '[options]',
  about: 'show how many jobs wait, and how many are dead letters',
  asks: listQueues,
  reads: z.array(row),
  shows: (all, { columns }) => {
    const rows = all.map(({ name, ready, delayed, inFlight, dead, oldestSeconds }) => [
      name,
      ...[ready, delayed, inFlight, dead].map(String),
      oldestSeconds === null ? '-' : `${Math.round(oldestSeconds)} s`,
    ]);
    const faults = all.flatMap(({ name, faults: held }) =>
      held.map(({ reason, jobs, retryAt }) => {
        return `${name}: ${jobs} wait until this is mended: ${reason} (tried again at ${retryAt})`;
      }),
    );
    const counts = table(['QUEUE', 'READY', 'DELAYED', 'IN FLIGHT', 'DEAD', 'LONGEST WAIT'], rows, columns);
    return faults.length === 0 ? counts : `${counts}\n\n${faults.join('\n')}`;
  },
});

const changed = z.object({ queue: z.string(), jobs: z.number() });

const redrive = asking({
  name: 'redrive',
  usage: 'QUEUE [options]',
  about: 'put the dead letters of a queue back on it, and try at once the jobs that wait for a fault of ours',
  asks: redriveDead,
  reads: changed,
  shows: ({ queue, jobs }) => `${jobs} jobs of ${queue} are tried again`,
});

const purge = asking({
  name: 'purge',
  usage: 'QUEUE --yes [options]',
  about: 'delete the dead letters of a queue (the messages stay stored)',
  asks: purgeDead,
  options: { yes: { value: null, about: 'really do it' } },
  check: ({ positionals: [queue], switches }) => {
    if (switches.has('yes')) return;
    throw cliError(`this deletes the dead letters of ${queue}: say --yes if that is meant`, 'not-confirmed');
  },
  reads: changed,
  shows: ({ queue, jobs }) => `${jobs} dead letters of ${queue} were deleted`,
});

/** In the order of the help. */
export const queueCommands = [queues, redrive, purge];
