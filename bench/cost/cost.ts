// `npm run cost -- --mails 10000000 --kib 50`: the monthly bill from volume, size and the calls that the bench measured
// per message (bench/cost/measured-calls.json), beside SES receiving and SES Mail Manager.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { deployedStages, lanesOf, stages } from '#pipeline/contract/stages.ts';
import { type WatchedMetric, watchedMetrics } from '#pipeline/observe/metric-names.ts';
import {
  type BillLine,
  eventBridgeLines,
  mailManagerBill,
  pillarboxBill,
  type Standing,
  sendingBill,
  sesReceivingBill,
  total,
} from './monthly-bill.ts';
import { pricesReadOn } from './prices.ts';

const measuredSchema = z.object({
  measuredOn: z.string(),
  command: z.string(),
  mailsPerSecond: z.number(),
  puts: z.number(),
  gets: z.number(),
  sqsRequests: z.number(),
  lambdaRequests: z.number(),
  lambdaGiBSeconds: z.number(),
  logBytes: z.number(),
  extraBytes: z.number(),
  /** From 250 to the inbox. */
  secondsToInbox: z.object({ p50: z.number(), p99: z.number() }),
});

/** The calls per message, as the bench wrote them down. */
export function readMeasuredCalls(): z.infer<typeof measuredSchema> {
  return measuredSchema.parse(JSON.parse(readFileSync(new URL('./measured-calls.json', import.meta.url), 'utf8')));
}

/** CloudWatch bills a metric for the hours in which it gets values. These get them when something is wrong, or when mail goes out. */
const rareMetrics: ReadonlySet<string> = new Set<WatchedMetric>([
  'certificate-days-left',
  'config-problems',
  'deliveries',
  'jobs',
  'port-25-blocked',
  'store-failures',
]);

/** Application Auto Scaling makes two for each of the listener's two policies. */
export const alarmsOfScaling = 4;

const usual = deployedStages({ hooks: false });
const lanes = usual.flatMap(lanesOf);

/**
 * The defaults of cdk/options.ts: two tasks of a quarter of a processor, the second on Spot, two zones. `metrics`: those that CloudWatch
 * stores in each hour in which mail comes. `alarms`: one for each metric that an alarm looks at, five of each lane of a
 * stage, three of each function.
 */
export const smallStanding: Standing = {
  tasks: 2,
  spotTasks: 1,
  taskCpu: 0.25,
  taskGiB: 0.5,
  zones: 2,
  metrics: [...watchedMetrics].filter((name) => !rareMetrics.has(name)).length,
  alarms: 5 * lanes.length + 10 + 3 * usual.length + alarmsOfScaling,
  secrets: 4,
  idleQueues: 2,
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
  const tasks = whole('tasks', values.tasks);
  const ours = pillarboxBill(volume, measured, { ...smallStanding, tasks, spotTasks: tasks - 1 });
  const others = [
    { name: 'SES receiving', lines: sesReceivingBill(volume) },
    { name: 'SES Mail Manager', lines: mailManagerBill(volume) },
  ];
  console.log(
    `${volume.mails} mails of ${volume.bytes / 1024} KiB a month, kept ${volume.retentionDays} days; us-east-1, free tiers left out.`,
  );
  console.log(
    `Prices read on ${pricesReadOn}; calls per message measured on ${measured.measuredOn} by \`${measured.command}\`,`,
  );
  const { mailsPerSecond, secondsToInbox } = measured;
  console.log(
    `at ${mailsPerSecond} mails a second: from 250 to the inbox ${secondsToInbox.p50} s, p99 ${secondsToInbox.p99} s.\n`,
  );
  printLines('Pillarbox', ours);
  for (const { name, lines } of others) {
    console.log();
    printLines(name, lines);
    console.log(`  Pillarbox costs ${((total(ours) / total(lines)) * 100).toFixed(1)} % of it`);
  }
  console.log('\nBesides, if it is used');
  for (const line of eventBridgeLines(volume, measured)) printLine(line);
  console.log(`sending ${volume.mails} mails, each to one domain`);
  for (const line of sendingBill(volume, stages.deliver.memoryMiB)) printLine(line);
}

function printLines(name: string, lines: readonly BillLine[]): void {
  console.log(`${name.padEnd(20)} $ ${total(lines).toFixed(2).padStart(10)}`);
  for (const line of lines) printLine(line);
}

function printLine({ what, dollars }: BillLine): void {
  console.log(`  ${what.padEnd(18)} $ ${dollars.toFixed(2).padStart(10)}`);
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  console.error(`--${name}: a whole number above zero, not ${JSON.stringify(text)}`);
  process.exit(2);
}
