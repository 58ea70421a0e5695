// What a deployment may choose: `cdk.json` context or `-c key=value`, checked before anything is built. Every option
// has a default but the host name and the domains, which nobody can guess.
import { z } from 'zod';
import { didYouMean } from '#pipeline/config/nearest-name.ts';
import { sesRegion } from '#pipeline/config/ses-endpoint.ts';
import type { DeployedOptions } from '#pipeline/contract/deployed-options.ts';
import { defaultRetention } from '#pipeline/contract/retention.ts';
import { defaultWindowSeconds } from '#pipeline/contract/stages.ts';

const hostName = z
  .string()
  .regex(/^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/, 'a domain name');
const whole = z.coerce.number().int().positive();
const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')]);
const list = listOf(z.array(hostName));
const zoneList = twoOf(/^[a-z]{2}(-[a-z]+)+-\d[a-z]$/, 'zones', 'the name of a zone, as us-east-1a');
const subnetList = twoOf(/^subnet-[0-9a-f]{8,17}$/, 'subnets', 'the id of a subnet, as subnet-0a1b2c3d');

/** What memory (MiB) a task may have, by its CPU. */
const fargateMemory: Readonly<Record<256 | 512 | 1024 | 2048 | 4096, readonly number[]>> = {
  256: [512, 1_024, 2_048],
  512: gibibytes(1, 4),
  1024: gibibytes(2, 8),
  2048: gibibytes(4, 16),
  4096: gibibytes(8, 30),
};

const optionsSchema = z.object({
  /** The service's name: stacks, queues, secrets and metrics begin with it. */
  serviceName: z
    .string()
    .regex(/^[a-z][a-z0-9-]{1,29}$/, 'at most 30 lower-case letters, digits and hyphens')
    .default('pillarbox'),
  /** The name the world knows the listener by: MX record, greeting, EHLO, PTR. */
  hostname: hostName.default('mx.pillarbox.example'),
  /** The domains that the first configuration file accepts mail for (later ones need no deploy). */
  domains: list.default(['pillarbox.example']),
  /** `smarthost` works on day one; `mx` needs AWS to open port 25 first (docs/dns-and-port-25.md). */
  deliveryMode: z.enum(['smarthost', 'mx']).default('smarthost'),
  smarthost: hostName.optional(),
  smarthostUser: z.string().optional(),
  /** Listener tasks, two zones; at most `maxTasks` under load. */
  tasks: whole.default(2),
  maxTasks: whole.default(8),
  taskCpu: oneOf(256, 512, 1024, 2048, 4096).default(256),
  taskMemoryMiB: whole.default(512),
  /** Connections a task should carry before another is started. */
  connectionsPerTask: whole.default(300),
  /**
   * The two availability zones, by name; left out: the account's first two. Not every zone of every region has Fargate
   * (docs/deploy.md), and a name stands for another place in each account.
   */
  zones: zoneList.optional(),
  /** A VPC that is there already, in place of one of its own; its subnets in the order of `zones` (docs/deploy.md says what they need). */
  vpcId: z
    .string()
    .regex(/^vpc-[0-9a-f]{8,17}$/, 'the id of a VPC, as vpc-0a1b2c3d')
    .optional(),
  publicSubnets: subnetList.optional(),
  /** For `mx` delivery: they lead out through a NAT gateway, whose address is `outboundAddress`. */
  privateSubnets: subnetList.optional(),
  outboundAddress: z.ipv4().optional(),
  /** Of the tasks beyond the first three quarters on Fargate Spot: cheaper, now and then replaced, with two minutes' notice. */
  spot: flag.default(true),
  ipAddressType: z.enum(['ipv4', 'dualstack']).default('ipv4'),
  preserveClientIp: flag.default(true),
  proxyProtocol: flag.default(false),
  /** Where the TLS certificate comes from: PEM texts you put in the secrets, or ACM exporting to them. */
  certificate: z.enum(['secret', 'acm']).default('secret'),
  hostedZoneId: z.string().optional(),
  hostedZoneName: hostName.optional(),
  /** One event in EventBridge for each message and mailbox, at a dollar a million; `MailRule` needs it. */
  events: flag.default(false),
  /** A function calls `hooks` of the configuration file; its queue is polled for some quarter of a dollar a month. */
  hooks: flag.default(false),
  /** S3 tells a topic of each message in `inbox/`, at half a dollar a million. */
  inboxTopic: flag.default(false),
  /** S3 sends EventBridge an event for each object that is written or expires: four a message, at a dollar a million. */
  eventBridge: flag.default(false),
  versioning: flag.default(false),
  encryption: z.enum(['s3', 'kms']).default('s3'),
  rawDays: whole.default(defaultRetention.rawDays),
  inboxDays: whole.default(defaultRetention.inboxDays),
  deliveriesDays: whole.default(defaultRetention.deliveriesDays),
  logDays: oneOf(7, 14, 30, 90, 365).default(30),
  /** New versions of functions take all jobs at once, for a deployment that nobody depends on: each deploy is 15 minutes faster. */
  deployAtOnce: flag.default(false),
  /** How long Lambda gathers jobs before it calls the function, in seconds: longer is cheaper, and mail is later by that. */
  batchWindowSeconds: z.coerce.number().int().min(0).max(60).default(defaultWindowSeconds),
  alarmEmail: z.email().optional(),
  /** Alarm when a month's bill of the account is more, or will be, in dollars (0: no budget). */
  budgetDollars: z.coerce.number().int().min(0).default(300),
  /** Alarm when no mail has come for so many hours (0: never; at most a day). */
  noMailHours: z.coerce.number().int().min(0).max(24).default(6),
});

/** The options in force. */
export type Options = Readonly<z.output<typeof optionsSchema>>;

const optionNames = Object.keys(optionsSchema.shape);

/** A sentence for each key that is no option. `besides`: another name that somebody may have meant. */
export function unknownOptions(given: Readonly<Record<string, unknown>>, ...besides: readonly string[]): string[] {
  return Object.keys(given)
    .filter((key) => !optionNames.includes(key))
    .map((key) => `${key}: there is no such option.${didYouMean(key, [...optionNames, ...besides])}`);
}

function oneOf<const Numbers extends readonly number[]>(...numbers: Numbers) {
  return z.coerce.number().pipe(z.literal(numbers));
}

/** A list, or a text of its items with commas or spaces between. */
function listOf<List extends z.ZodType<string[], string[]>>(items: List) {
  return z.union([
    items,
    z
      .string()
      .transform((text) => text.split(/[\s,]+/))
      .pipe(items),
  ]);
}

function twoOf(form: RegExp, what: string, expected: string) {
  return listOf(
    z
      .array(z.string().regex(form, expected))
      .length(2, `two ${what}`)
      .refine(([one, other]) => one !== other, `two different ${what}`),
  );
}

/** Checks what was given. Throws an Error that names each wrong option, what was given and what was expected. */
export function parseOptions(given: Readonly<Record<string, unknown>>): Options {
  const parsed = optionsSchema.safeParse(given);
  const wrong = (parsed.error?.issues ?? []).map(
    ({ path, message }) => `${path.join('.')}: ${message} (given: ${JSON.stringify(given[String(path[0])])})`,
  );
  const faults = [...unknownOptions(given), ...(parsed.success ? contradictions(parsed.data) : wrong)];
  if (!parsed.success || faults.length > 0)
    throw new Error(`cdk options:\n${faults.map((text) => `  ${text}`).join('\n')}`);
  return parsed.data;
}

/** Those that the configuration file must agree with. */
export function deployedOptions(options: Options): DeployedOptions {
  const {
    serviceName,
    hostname,
    domains,
    deliveryMode,
    smarthost = null,
    smarthostUser = null,
    taskMemoryMiB,
  } = options;
  const { hooks, rawDays, inboxDays, deliveriesDays } = options;
  const mail = { serviceName, hostname, domains, deliveryMode, smarthost, smarthostUser };
  return { ...mail, hooks, taskMemoryMiB, rawDays, inboxDays, deliveriesDays };
}

function gibibytes(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * 1_024);
}

/** Options that contradict each other. Above all: SPF, limits and logs are worthless if every client looks like the balancer. */
function contradictions(options: Options): string[] {
  const faults: string[] = [];
  if (!options.preserveClientIp && !options.proxyProtocol) {
    faults.push('preserveClientIp: false hides every client behind the load balancer; set proxyProtocol: true instead');
  }
  if (options.ipAddressType === 'dualstack' && !options.proxyProtocol) {
    faults.push(
      'ipAddressType: dualstack hides IPv6 clients behind the load balancer; set proxyProtocol: true with it',
    );
  }
  if (options.preserveClientIp && options.proxyProtocol) {
    faults.push('preserveClientIp and proxyProtocol: choose one; set preserveClientIp: false with proxyProtocol: true');
  }
  const { deliveryMode, smarthost = '', smarthostUser } = options;
  if (deliveryMode === 'smarthost' && sesRegion(smarthost) !== null && !smarthostUser)
    faults.push('smarthost: SES takes mail only from who logs in: set smarthostUser, its SMTP user name, with it');
  if (options.maxTasks < options.tasks)
    faults.push(`maxTasks: ${options.maxTasks} is less than tasks: ${options.tasks}`);
  const memory = fargateMemory[options.taskCpu];
  if (!memory.includes(options.taskMemoryMiB)) {
    faults.push(`taskMemoryMiB: Fargate goes with taskCpu ${options.taskCpu} at ${memory.join(', ')} MiB only`);
  }
  if (options.certificate === 'acm' && (!options.hostedZoneId || !options.hostedZoneName)) {
    faults.push('certificate: acm needs hostedZoneId and hostedZoneName, to prove the host name by DNS');
  }
  return [...faults, ...networkFaults(options)];
}

/** A VPC is described whole or not at all: what is left out would be looked up in the account, which synth does not ask. */
function networkFaults({ vpcId, zones, publicSubnets, deliveryMode, ...options }: Options): string[] {
  const inVpc = { publicSubnets, privateSubnets: options.privateSubnets, outboundAddress: options.outboundAddress };
  if (vpcId === undefined) {
    const described = Object.entries(inVpc).filter(([, value]) => value !== undefined);
    return described.map(([name]) => `${name}: says something of a VPC that is there already: set vpcId with it`);
  }
  const needed = { zones, ...(deliveryMode === 'mx' ? inVpc : { publicSubnets }) };
  const missing = Object.entries(needed).filter(([, value]) => value === undefined);
  return missing.map(([name]) => `vpcId: needs ${name} with it${deliveryMode === 'mx' ? ' in mx mode' : ''}`);
}
