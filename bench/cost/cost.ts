// `npm run cost -- --mails 10000000 --kib 50`: the monthly bill from volume, size and the calls that the bench measured
// per message (bench/cost/measured-calls.json), beside SES receiving and SES Mail Manager.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { lanesOf, stageNames, stages } from '#pipeline/contract/stages.ts';
import { watchedMetrics } from '#pipeline/observe/metric-names.ts';
import {
  type BillLine,
  besidesLines,
  mailManagerBill,
  pillarboxBill,
  type Standing,
  sesReceivingBill,
  total,
} from './monthly-bill.ts';
import { pricesReadOn } from './prices.ts';

const measuredSchema = z.object({
  measuredOn: z.string(),
  command: z.string(),
  puts: z.number(),
  gets: z.number(),
  sqsRequests: z.number(),
  lambdaRequests: z.number(),
  lambdaGiBSeconds: z.number(),
  logBytes: z.number(),
  extraBytes: z.number(),
});

/** The calls per message, as the bench wrote them down. */
export function readMeasuredCalls(): z.infer<typeof measuredSchema> {
  return measuredSchema.parse(JSON.parse(readFileSync(new URL('./measured-calls.json', import.meta.url), 'utf8')));
}

const lanes = Object.values(stages).flatMap(lanesOf);

/**
 * The defaults of cdk/options.ts: two tasks of a quarter of a processor, two zones. `metrics`: those that CloudWatch
 * stores, of which `jobs` and `job-seconds` exist once for each lane. `alarms`: one for each metric that an alarm looks at,
 * five of each lane of a stage, two of each function.
 */
export const smallStanding: Standing = {
  tasks: 2,
  taskCpu: 0.25,
  taskGiB: 0.5,
  zones: 2,
  metrics: watchedMetrics.size + 2 * (lanes.length - 1),
  alarms: 5 * lanes.length + 10 + 2 * stageNames.length,
  secrets: 4,
};

if (process.argv[1] === import.meta.filename) printBill();

function printBill(): void {
  const { values } = parseArgs({
    options: {
      mails: { type: 'string', default: '10000000' },
      kib: { type: 'string', default: '50' },
      days: { type: 'string', default: '30' },
      tasks: { type: 'string', default: '2' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log('npm run cost -- [--mails N a month] [--kib SIZE] [--days KEPT] [--tasks N]');
    return;
  }
  const volume = {
    mails: whole('mails', values.mails),
    bytes: whole('kib', values.kib) * 1024,
    retentionDays: whole('days', values.days),
  };
  const measured = readMeasuredCalls();
  const ours = pillarboxBill(volume, measured, { ...smallStanding, tasks: whole('tasks', values.tasks) });
  const besides = besidesLines(volume, measured);
  const others = [
    { name: 'SES receiving', lines: sesReceivingBill(volume) },
    { name: 'SES Mail Manager', lines: mailManagerBill(volume) },
  ];
  console.log(
    `${volume.mails} mails of ${volume.bytes / 1024} KiB a month, kept ${volume.retentionDays} days; us-east-1, free tiers left out.`,
  );
  console.log(
    `Prices read on ${pricesReadOn}; calls per message measured on ${measured.measuredOn} by \`${measured.command}\`.\n`,
  );
  printLines('Pillarbox', ours);
  console.log();
  printLines('Besides', besides);
  for (const { name, lines } of others) {
    console.log();
    printLines(name, lines);
    const part = (dollars: number) => `${((dollars / total(lines)) * 100).toFixed(1)} %`;
    console.log(
      `  Pillarbox costs ${part(total(ours))} of it (${part(total(ours) + total(besides))} with what comes besides)`,
    );
  }
}

function printLines(name: string, lines: readonly BillLine[]): void {
  console.log(`${name.padEnd(20)} $ ${total(lines).toFixed(2).padStart(10)}`);
  for (const { what, dollars } of lines) console.log(`  ${what.padEnd(18)} $ ${dollars.toFixed(2).padStart(10)}`);
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  console.error(`--${name}: a whole number above zero, not ${JSON.stringify(text)}`);
  process.exit(2);
}
