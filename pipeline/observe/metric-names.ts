// The metrics: every name, its labels, and what it says. docs/monitoring.md is made of this table.

type MetricFacts = {
  /** `counter`: how many. `measure`: values, kept as a histogram; in seconds or bytes where the name ends so. */
  readonly kind: 'counter' | 'measure';
  /** Few, each with few values. On AWS there is `stage` (or `listener`) besides. */
  readonly labels: readonly string[];
  readonly says: string;
  /**
   * An alarm, a graph of the dashboard or scaling uses it: CloudWatch stores it, at $0.30 a month for each set of labels. What has
   * many is asked of the log instead (cdk/watch/dashboard.ts).
   */
  readonly watched?: true;
  /**
   * On AWS it is written only where a label has one of these values, never if there is none: the log has a line for each message that
   * says the rest, and Lambda measures how long its functions take.
   */
  readonly onAws?: readonly string[];
};

export const metricTable = {
  // The listener
  connections: { kind: 'counter', labels: ['outcome'], says: 'connections: taken, or refused by a limit' },
  'connections-open': { kind: 'measure', labels: [], says: 'SMTP connections open, once a minute', watched: true },
  'messages-accepted': { kind: 'counter', labels: ['role'], says: 'messages answered 250', watched: true },
  'message-bytes': { kind: 'measure', labels: ['role'], says: 'the length of each' },
  refusals: { kind: 'counter', labels: ['reason'], says: 'refusals, by reply and enhanced code' },
  'chaos-faults': {
    kind: 'counter',
    labels: ['stage', 'ending'],
    says: 'faults that a capture server made on purpose: a reply, a connection dropped, or a delay alone',
    onAws: [],
  },
  'authentication-failures': { kind: 'counter', labels: [], says: 'log-ins that failed', watched: true },
  'old-password-hashes': { kind: 'counter', labels: [], says: 'log-ins by a hash that is weaker than today’s' },
  'store-failures': {
    kind: 'counter',
    labels: [],
    says: 'messages that could not be stored, and commands that a fault of ours refused: 451',
    watched: true,
  },
  'config-problems': {
    kind: 'counter',
    labels: [],
    says: 'minutes in which the newest configuration could not be used, or not be done, or shut a user out',
    watched: true,
  },
  'certificate-days-left': {
    kind: 'measure',
    labels: [],
    says: 'days until the certificate ends, in its last 30',
    watched: true,
  },
  // Any stage
  jobs: {
    kind: 'counter',
    labels: ['stage', 'queue', 'outcome'],
    says: 'jobs run, by how it ended',
    watched: true,
    onAws: ['failed', 'waits', 'unreadable'],
  },
  'job-seconds': { kind: 'measure', labels: ['stage', 'queue'], says: 'how long each run took', onAws: [] },
  'job-hops': {
    kind: 'counter',
    labels: ['stage', 'queue'],
    says: 'early jobs sent on: SQS delays 15 minutes at most',
  },
  'own-faults': { kind: 'counter', labels: ['kind'], says: 'jobs and log-ins kept back by a fault of ours' },
  'dns-breakers-opened': { kind: 'counter', labels: [], says: 'zones found not to answer' },
  // authenticate
  'messages-judged': { kind: 'counter', labels: ['dmarc', 'action'], says: 'verdicts on messages', onAws: [] },
  'messages-judged-again': {
    kind: 'counter',
    labels: [],
    says: 'messages to be judged once more: the DNS did not answer',
  },
  'messages-to-slow-lane': { kind: 'counter', labels: [], says: 'messages put on the slow lane' },
  // parse
  'messages-stored': { kind: 'counter', labels: ['action'], says: 'messages in inbox/ and quarantine/, each copy' },
  'accepted-to-inbox-seconds': { kind: 'measure', labels: [], says: 'from 250 to the inbox JSON', onAws: [] },
  'parse-seconds': { kind: 'measure', labels: [], says: 'how long a message took to parse', onAws: [] },
  'parse-problems': { kind: 'counter', labels: ['code'], says: 'what was odd about messages' },
  // deliver
  deliveries: { kind: 'counter', labels: ['outcome'], says: 'attempts, by what came of them', watched: true },
  'delivery-seconds': { kind: 'measure', labels: [], says: 'how long an attempt took' },
  'delivery-waits': { kind: 'counter', labels: [], says: 'jobs put off without an attempt: no slot, or backed off' },
  'delivery-notices': { kind: 'counter', labels: ['action', 'outcome'], says: 'reports to senders (RFC 3464)' },
  'delivery-leases-lost': { kind: 'counter', labels: [], says: 'attempts that another worker had taken over' },
  'addresses-suppressed': { kind: 'counter', labels: [], says: 'addresses that are written to no more' },
  'receivers-in-trouble': {
    kind: 'counter',
    labels: [],
    says: 'domains that refuse so much that nothing is suppressed',
  },
  'port-25-blocked': { kind: 'counter', labels: [], says: 'times that no host answered at port 25', watched: true },
  // notify
  'hook-calls': { kind: 'counter', labels: ['outcome'], says: 'calls of hooks, by what came of them' },
  'hooks-failing': { kind: 'counter', labels: [], says: 'calls that failed a fifth time or more often', watched: true },
  'hook-seconds': { kind: 'measure', labels: [], says: 'how long a hook took to answer' },
  // The ops API
  'ops-tokens-refused': { kind: 'counter', labels: ['status'], says: 'requests with a wrong token' },
  'ops-connections-closed': { kind: 'counter', labels: ['reason'], says: 'connections closed to make room' },
} as const satisfies Readonly<Record<string, MetricFacts>>;

type Table = typeof metricTable;
type NamesOf<Facts> = { readonly [Name in keyof Table]: Table[Name] extends Facts ? Name : never }[keyof Table];

export type CounterName = NamesOf<{ readonly kind: 'counter' }>;
export type MeasureName = NamesOf<{ readonly kind: 'measure' }>;
export type MetricName = CounterName | MeasureName;

/** Those that CloudWatch stores. */
export type WatchedMetric = NamesOf<{ readonly watched: true }>;

export type LabelsOf<Name extends MetricName> = { readonly [Label in Table[Name]['labels'][number]]?: string };

const facts: Readonly<Record<string, MetricFacts>> = metricTable;

export const watchedMetrics: ReadonlySet<string> = new Set(Object.keys(facts).filter((name) => facts[name]?.watched));

/** Whether a metric with these labels is written on AWS. */
export function isWrittenOnAws(name: string, labels: Readonly<Record<string, string | undefined>>): boolean {
  const values = facts[name]?.onAws;
  return values === undefined || values.some((value) => Object.values(labels).includes(value));
}

export function isCounter(name: string): name is CounterName {
  return facts[name]?.kind === 'counter';
}

export function isMeasure(name: string): name is MeasureName {
  return facts[name]?.kind === 'measure';
}
