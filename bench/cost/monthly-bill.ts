// The monthly bill of receiving mail, computed from volume, size and what the bench measured per message: all that an account pays for
// with the default options. Beside it the two ways AWS itself sells (SES receiving, SES Mail Manager) with the same processing behind
// them, and what sending costs.
import { prices } from './prices.ts';

const hours = 730;
const gib = 1024 ** 3;

/** What one inbound message costs in calls: measured by `npm run bench -- --only calls`. */
export type CallsPerMessage = {
  readonly puts: number;
  readonly gets: number;
  /** SQS requests of all hops: sends, receives and deletes, each batch one request. */
  readonly sqsRequests: number;
  readonly lambdaRequests: number;
  /** Billed GiB-seconds of all functions. */
  readonly lambdaGiBSeconds: number;
  readonly logBytes: number;
  /** What is stored for it besides the message itself: the inbox JSON. */
  readonly extraBytes: number;
};

/** What stands there whatever the volume. */
export type Standing = {
  readonly tasks: number;
  /** Of these, on Spot. */
  readonly spotTasks: number;
  readonly taskCpu: number;
  readonly taskGiB: number;
  readonly zones: number;
  readonly metrics: number;
  readonly alarms: number;
  readonly secrets: number;
  /** Queues that inbound mail hardly uses. */
  readonly idleQueues: number;
};

export type Volume = { readonly mails: number; readonly bytes: number; readonly retentionDays: number };

/** One line of a bill, in dollars a month. */
export type BillLine = { readonly what: string; readonly dollars: number };

/** What Pillarbox costs a month at this volume. */
export function pillarboxBill(volume: Volume, calls: CallsPerMessage, standing: Standing): readonly BillLine[] {
  const { mails } = volume;
  const { lambdaArm, sqs, cloudWatch } = prices;
  const logGiB = (mails * calls.logBytes + rejectedLogBytes(standing)) / gib;
  return [
    { what: 'S3 requests', dollars: mails * (calls.puts * prices.s3.perPut + calls.gets * prices.s3.perGet) },
    { what: 'S3 storage', dollars: storage(volume, volume.bytes + calls.extraBytes) },
    { what: 'SQS', dollars: mails * calls.sqsRequests * sqs.perRequest },
    { what: 'SQS, fair queue', dollars: mails * calls.sqsRequests * shareWithGroup * sqs.fairQueueExtra },
    { what: 'SQS, idle pollers', dollars: standing.idleQueues * idleReceives * sqs.perRequest },
    {
      what: 'Lambda',
      dollars: mails * (calls.lambdaRequests * lambdaArm.perRequest + calls.lambdaGiBSeconds * lambdaArm.perGiBSecond),
    },
    ...standingLines(volume, standing),
    { what: 'To the internet', dollars: ((mails * bytesOutPerMail) / gib) * prices.transfer.outPerGiB },
    {
      what: 'CloudWatch, log',
      dollars: logGiB * (cloudWatch.perLogGiB + storedShareOfLog * cloudWatch.perStoredLogGiBMonth),
    },
    {
      what: 'CloudWatch, rest',
      dollars:
        standing.metrics * cloudWatch.perMetric + standing.alarms * cloudWatch.perAlarm + cloudWatch.perDashboard,
    },
    { what: 'Secrets, image', dollars: secretsLine(standing) + prices.imageStoragePerMonth },
  ];
}

/** Metric `deliveries`: delivered, deferred, bounced. */
const outcomesCounted = 3;

/**
 * Of a connection's answers, certificate, TLS handshake and TCP's acknowledgements that leave for the internet, one mail of 50 KiB a
 * connection: measured were 5.8 kB with ECDSA keys, 6.5 with RSA (docs/cost.md).
 */
const bytesOutPerMail = 6 * 1024;

/**
 * Of all requests two thirds are for the first hop, whose jobs carry a group if their client sends much: one in ten (assumed). What AWS
 * counts as a request with a group is not said.
 */
const shareWithGroup = 0.07;
/** Five pollers of a queue ask three times a minute, whether or not there is mail. */
const idleReceives = 5 * 3 * 60 * hours;
/** Logs are kept compressed. */
const storedShareOfLog = 0.15;

/** The flow log of connections that are refused: some 10,000 a day at each public address, 110 bytes each (assumed). */
function rejectedLogBytes({ zones, tasks }: Standing): number {
  return (zones + tasks) * 30 * 10_000 * 110;
}

/** Each task reads certificate and key anew every five minutes. */
function secretsLine({ secrets, tasks }: Standing): number {
  return secrets * prices.secretPerMonth + tasks * 2 * 12 * hours * prices.perSecretRead;
}

/** What the ways to tell consumers cost besides: our own event, and S3's, for every object as it is written and as it expires. */
export function eventBridgeLines({ mails }: Volume, { puts }: CallsPerMessage): readonly BillLine[] {
  return [
    { what: 'events: true', dollars: mails * prices.eventBridge.perEvent },
    { what: 'eventBridge: true', dollars: mails * puts * 2 * prices.eventBridge.perEvent },
  ];
}

/**
 * What sending this many mails costs, each to one domain at the first attempt: the lease and the outcome are written, the message, the
 * state and what is known of the address and its host are read; each needs a lease on a connection anew (one more of both: the worst
 * case while no host is waited for, mails to one host share it); a run waits for the host (assumed: two seconds, two jobs an invocation).
 */
export function sendingBill({ mails, bytes }: Volume, memoryMiB: number): readonly BillLine[] {
  const sentGiB = (mails * bytes * 1.1) / gib;
  const { lambdaArm, s3, sqs } = prices;
  const own = [
    { what: 'S3 requests', dollars: mails * (3 * s3.perPut + 6 * s3.perGet) },
    { what: 'SQS', dollars: mails * 3 * sqs.perRequest },
    {
      what: 'Lambda',
      dollars: (mails / 2) * (lambdaArm.perRequest + ((2 * memoryMiB) / 1_024) * lambdaArm.perGiBSecond),
    },
    { what: 'To the internet', dollars: sentGiB * prices.transfer.outPerGiB },
    { what: 'CloudWatch', dollars: outcomesCounted * prices.cloudWatch.perMetric },
  ];
  const relayed = { what: 'through SES', dollars: mails * prices.ses.perSentMail };
  const direct = { what: 'or NAT (mx)', dollars: hours * prices.nat.perHour + sentGiB * prices.nat.perGiB };
  return [...own, relayed, direct];
}

/** What SES receiving costs a month for the same: stored to S3, announced by SNS and SQS, parsed by one Lambda. */
export function sesReceivingBill(volume: Volume): readonly BillLine[] {
  const chunks = Math.floor(volume.bytes / prices.ses.chunkBytes);
  return [
    { what: 'SES receiving', dollars: volume.mails * (prices.ses.perMail + chunks * prices.ses.perFullChunk) },
    ...processingLines(volume),
  ];
}

/** What SES Mail Manager costs a month for the same. */
export function mailManagerBill(volume: Volume): readonly BillLine[] {
  const dollars = prices.mailManager.endpointPerMonth + volume.mails * prices.mailManager.perMail;
  return [{ what: 'Mail Manager', dollars }, ...processingLines(volume)];
}

/** The sum of a bill's lines, in dollars. */
export function total(lines: readonly BillLine[]): number {
  return lines.reduce((sum, line) => sum + line.dollars, 0);
}

/** How often a task asks S3 whether the configuration has changed (container/main.ts). */
const configSeconds = 5;

function standingLines(volume: Volume, standing: Standing): readonly BillLine[] {
  const { fargateArm, fargateSpotShare, loadBalancer, publicIpv4PerHour } = prices;
  const capacityUnits = (volume.mails * volume.bytes * 1.1) / gib / hours / loadBalancer.gibPerCapacityUnitHour;
  const addresses = standing.zones + standing.tasks;
  const taskPerHour = standing.taskCpu * fargateArm.perCpuHour + standing.taskGiB * fargateArm.perGiBHour;
  const paidInFull = standing.tasks - standing.spotTasks;
  return [
    {
      what: 'Fargate',
      dollars: hours * taskPerHour * (paidInFull + standing.spotTasks * fargateSpotShare),
    },
    {
      what: 'Load balancer',
      dollars: hours * (loadBalancer.perHour + capacityUnits * loadBalancer.perCapacityUnitHour),
    },
    { what: 'Public IPv4', dollars: addresses * hours * publicIpv4PerHour },
    { what: 'Configuration', dollars: ((standing.tasks * hours * 3_600) / configSeconds) * prices.s3.perGet },
  ];
}

/** What has to stand behind SES too: object, event, one Lambda of 1 GiB and 120 ms a mail as in docs/cost.md. */
function processingLines(volume: Volume): readonly BillLine[] {
  const { mails } = volume;
  return [
    { what: 'S3 requests', dollars: mails * (prices.s3.perPut + prices.s3.perGet) },
    { what: 'S3 storage', dollars: storage(volume, volume.bytes) },
    { what: 'SNS, SQS', dollars: mails * (prices.sns.perPublish + 0.2 * prices.sqs.perRequest) },
    {
      what: 'Lambda',
      dollars: mails * (0.1 * prices.lambdaArm.perRequest + 0.12 * prices.lambdaArm.perGiBSecond),
    },
    { what: 'CloudWatch', dollars: ((mails * 1024) / gib) * prices.cloudWatch.perLogGiB },
  ];
}

function storage(volume: Volume, bytesEach: number): number {
  return ((volume.mails * bytesEach) / gib) * (volume.retentionDays / 30) * prices.s3.perGiBMonth;
}
