// `npm run bench`: prints what is claimed, measured here and now, as ratios to something that runs beside it.
// `-- --only accept,whole,…` picks measurements, `--rounds N` how many pairs, `--messages N` how many `list` stores, `--write` keeps
// the calls per message for `npm run cost`, `--beside FOLDER` measures the whole path of another checkout (an earlier version) beside
// this one's.
import { parseArgs } from 'node:util';
import { measureAccept, measureAcceptWhole } from '#bench/accept/accept.ts';
import { measureAwsListener } from '#bench/aws/aws-listener.ts';
import { measureCalls } from '#bench/aws/calls.ts';
import { measureMemory } from '#bench/aws/function-memory.ts';
import { type Row, rowText } from '#bench/figures/table.ts';
import { measureList } from '#bench/list/list.ts';
import { measureRelay } from '#bench/relay/relay.ts';
import { measureStorm } from '#bench/storm/storm.ts';
import { measureBeside } from '#bench/whole/beside.ts';
import { measureWhole } from '#bench/whole/latency.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    messages: { type: 'string', default: '200000' },
    beside: { type: 'string' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);

const measurements: Readonly<Record<string, () => Promise<readonly Row[]>>> = {
  accept: () => measureAccept(rounds),
  whole: async () => [...(await measureWhole()), await measureAcceptWhole(rounds)],
  beside: () => measureBeside(values.beside ?? '.', rounds),
  relay: () => measureRelay(rounds),
  aws: () => measureAwsListener(rounds),
  calls: () => measureCalls(values.write),
  memory: measureMemory,
  storm: measureStorm,
  list: () => measureList(Number(values.messages)),
};

if (values.help) {
  console.log(
    `npm run bench -- [--only ${Object.keys(measurements).join(',')}] [--rounds N] [--messages N] [--write] [--beside FOLDER]`,
  );
} else {
  const all = Object.keys(measurements).filter((name) => name !== 'beside');
  const wanted = values.only?.split(',') ?? (values.beside === undefined ? all : ['beside']);
  for (const name of wanted) {
    const measure = measurements[name];
    if (measure === undefined)
      throw new Error(
        `--only: no measurement ${JSON.stringify(name)}; there are ${Object.keys(measurements).join(', ')}`,
      );
    process.stderr.write(`measuring ${name} …\n`);
    for (const row of await measure()) console.log(rowText(row));
  }
}
