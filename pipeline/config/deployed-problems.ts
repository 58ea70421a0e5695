// What a deployment does not do of its configuration file although the schema allows it: what AWS cannot do at all (aws-problems.ts),
// settings that it ignores or cuts short, and what the options of the deployment say otherwise.
import { isIP } from 'node:net';
import { isLoopbackHost } from '#mail/address/loopback.ts';
import { isPrivate } from '#mail/address/private-address.ts';
import { balancerIdleSeconds, type DeployedOptions, dnsPort } from '#pipeline/contract/deployed-options.ts';
import { daysKept, defaultExpireSeconds } from '#pipeline/contract/retention.ts';
import { processorShare, type Stage, stages } from '#pipeline/contract/stages.ts';
import { privateAddress } from '#pipeline/dns/configured-dns.ts';
import { awsProblems, type ConfigProblem } from './aws-problems.ts';
import type { Config } from './config.ts';
import { isGiven } from './edit-config.ts';

/** The parser's slots for large or slow messages (functions/parse/worker/parser.ts). */
const heavyAtOnce = 2;
/** Seconds of a whole processor for one message: it needs them within two thirds of a run, in which others are parsed too. */
const longestBudgetSeconds = Math.floor((stages.parse.timeoutSeconds * processorShare(stages.parse) * 2) / 3);

/** `text`: the file that `config` was read from. Empty if the deployment does all that it says. */
export function deployedProblems(text: string, config: Config, options: DeployedOptions): readonly ConfigProblem[] {
  const given: Given = (...path) => isGiven(text, path);
  return [
    ...awsProblems(config, options.serviceName),
    ...ignored(config, given),
    ...cutShort(config, options.taskMemoryMiB, given),
    ...tooLow(config),
    ...differences(config, options),
  ];
}

/** As one sentence for each. `self`: how a person starts this program. */
export function shownProblem(problem: ConfigProblem, self: string): string {
  const { at, what, mend } = problem;
  return `${at}: ${what}; ${[commandOf(problem, self), mend].filter((one) => one).join(', and ')}`;
}

/** Whoever deploys has this as a dependency of a project. */
export function shownToDeployer(problem: ConfigProblem): string {
  return shownProblem(problem, 'npx pillarbox');
}

/** The command that mends it; null if none does. */
export function commandOf({ own, run }: ConfigProblem, self: string): string | null {
  return own === undefined ? (run ?? null) : `${self} ${own}`;
}

function problemIf(isOne: boolean, at: string, what: string, mend: string): readonly ConfigProblem[] {
  return isOne ? [{ at, what, mend }] : [];
}

type Given = (...path: readonly string[]) => boolean;

function ignored({ delivery: { smarthost }, dns, tls }: Config, given: Given): readonly ConfigProblem[] {
  return [
    ...problemIf(
      given('listeners'),
      'listeners',
      'on AWS the deployment opens the ports (25, 587 and 465 of the load balancer), so this is ignored',
      'take it out',
    ),
    ...problemIf(
      tls === null,
      'tls',
      'without it clients are shown a self-signed certificate',
      'write {"certificate": "secret:tls-certificate", "key": "secret:tls-key"} here',
    ),
    ...dns.servers.flatMap((server, n) => dnsProblem(server, `dns.servers[${n}]`)),
    ...problemIf(
      smarthost !== null && isInside(smarthost.host),
      'delivery.smarthost.host',
      'no relay is on that address on AWS',
      'name one that can be reached from there',
    ),
  ];
}

function dnsProblem(server: string, at: string): readonly ConfigProblem[] {
  const mend = 'take it out: AWS has its own';
  if (privateAddress.test(hostOf(server)))
    return [{ at, what: 'the functions are in no network of yours, and cannot ask a server on that address', mend }];
  const asks = `the security group of the listener lets out questions to port ${dnsPort} alone`;
  return problemIf(portOf(server) !== dnsPort, at, asks, `name a server that answers there, or ${mend}`);
}

const lower = 'write less';

/**
 * A batch of `authenticate`, ten messages with as many signatures as are looked at, takes up to 52 of the 60 seconds of a run at
 * this size (docs/cost.md). A batch that does not end within a run comes back, and its messages become dead letters at last.
 */
const largestMessageBytes = 78_643_200;

/** Limits beyond those of Lambda, Fargate and the load balancer. */
function cutShort(config: Config, taskMemoryMiB: number, given: Given): readonly ConfigProblem[] {
  const { delivery, dns, limits, parse } = config;
  const mostInFlight = (taskMemoryMiB * 1_048_576) / 6; // container/listener.ts
  const runEnds = ({ timeoutSeconds }: { readonly timeoutSeconds: number }) =>
    `a run on AWS ends after ${timeoutSeconds} s`;
  return [
    ...problemIf(
      given('delivery', 'attemptSeconds') && delivery.attemptSeconds > stages.deliver.timeoutSeconds,
      'delivery.attemptSeconds',
      runEnds(stages.deliver),
      lower,
    ),
    ...problemIf(
      dns.timeoutSeconds >= stages.authenticate.timeoutSeconds,
      'dns.timeoutSeconds',
      runEnds(stages.authenticate),
      lower,
    ),
    ...problemIf(
      parse.budgetSeconds > longestBudgetSeconds,
      'parse.budgetSeconds',
      `${runEnds(stages.parse)}, in which each message may have ${longestBudgetSeconds} s of a processor`,
      lower,
    ),
    ...problemIf(
      heavyAtOnce * parse.memoryMiB >= stages.parse.memoryMiB,
      'parse.memoryMiB',
      `the function has ${stages.parse.memoryMiB} MiB in all, in which two messages may be large`,
      lower,
    ),
    ...problemIf(
      limits.messageBytes > largestMessageBytes,
      'limits.messageBytes',
      `${runEnds(stages.authenticate)}, in which ${stages.authenticate.batchSize} messages are judged at ${stages.authenticate.memoryMiB} MiB and ${processorPercent(stages.authenticate)} % of a processor`,
      `write ${largestMessageBytes} at most`,
    ),
    ...problemIf(
      limits.idleSeconds > balancerIdleSeconds,
      'limits.idleSeconds',
      `the load balancer ends a connection that is silent for ${balancerIdleSeconds} s`,
      lower,
    ),
    ...problemIf(
      given('limits', 'bytesInFlight') && limits.bytesInFlight > mostInFlight,
      'limits.bytesInFlight',
      `a task with taskMemoryMiB ${taskMemoryMiB} takes ${Math.floor(mostInFlight)} at most`,
      lower,
    ),
  ];
}

/** What other servers need, to bring any mail at all: by RFC 5321 §4.5.3.1.4 and §4.5.3.1.7, and by how long a message takes. */
const least = {
  commandBytes: 512,
  messageBytes: 65_536,
  connections: 10,
  idleSeconds: 10,
  sessionSeconds: 60,
} as const;

function tooLow({ limits }: Config): readonly ConfigProblem[] {
  return (['commandBytes', 'messageBytes', 'connections', 'idleSeconds', 'sessionSeconds'] as const).flatMap((name) => {
    const what = `${limits[name]} keeps mail out: other servers need ${least[name]} at least`;
    return problemIf(limits[name] < least[name], `limits.${name}`, what, 'write more');
  });
}

/** The functions are in no network of the operator's: neither a machine itself nor a private address is a relay. */
function isInside(host: string): boolean {
  return isLoopbackHost(host) || (isIP(host) > 0 && isPrivate(host));
}

/** The address or name of `address:port`, or of an address alone. */
function hostOf(server: string): string {
  return isIP(server) > 0 ? server : server.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

/** The port of `address:port`; that of the DNS if none is written. */
function portOf(server: string): number {
  const [, port = dnsPort] = (isIP(server) > 0 ? null : /:(\d+)$/.exec(server)) ?? [];
  return Number(port);
}

function processorPercent(stage: Stage): number {
  return Math.round(processorShare(stage) * 100);
}

const deployFirst = 'change the option and deploy, or change it here';

function differences(config: Config, options: DeployedOptions): readonly ConfigProblem[] {
  const { hostname, domains, delivery, retention, hooks } = config;
  const lacking = options.domains.filter((domain) => !Object.hasOwn(domains, domain));
  const rawDays = daysKept(options, defaultExpireSeconds)['raw/'] ?? 0;
  return [
    ...differing('hostname', hostname, 'hostname', options),
    ...problemIf(
      hooks.length > 0 && !options.hooks,
      'hooks',
      'the deployment has no function that calls them, so what they are to be told waits on a queue',
      'deploy with the option hooks: true',
    ),
    ...problemIf(
      lacking.length > 0,
      'domains',
      `the deployment names ${lacking.join(', ')}, for which no mail is taken here`,
      deployFirst,
    ),
    ...relayDifferences(delivery, options),
    ...problemIf(
      Math.ceil(delivery.expireSeconds / 86_400) >= rawDays,
      'delivery.expireSeconds',
      `mail may wait for longer than the bucket keeps it, which is ${rawDays} days`,
      'deploy with a larger rawDays first',
    ),
    ...problemIf(
      retention.messagesPerMailbox !== undefined,
      'retention.messagesPerMailbox',
      'a deployment does not count the mail of a mailbox: it is kept for as many days as the options say',
      'leave it out',
    ),
    ...(['rawDays', 'inboxDays', 'deliveriesDays'] as const).flatMap((name) =>
      retention[name] === undefined ? [] : differing(`retention.${name}`, retention[name], name, options),
    ),
  ];
}

/** A relay that no option names may be changed in the file alone. */
function relayDifferences({ mode, smarthost }: Config['delivery'], options: DeployedOptions): readonly ConfigProblem[] {
  if (mode !== options.deliveryMode) return differing('delivery.mode', mode, 'deliveryMode', options);
  if (mode === 'mx') return [];
  return [
    ...(options.smarthost === null
      ? []
      : differing('delivery.smarthost.host', smarthost?.host ?? null, 'smarthost', options)),
    ...(options.smarthostUser === null
      ? []
      : differing('delivery.smarthost.user', smarthost?.user ?? null, 'smarthostUser', options)),
  ];
}

function differing(
  at: string,
  here: string | number | null,
  name: keyof DeployedOptions,
  options: DeployedOptions,
): readonly ConfigProblem[] {
  const what = `${here ?? 'nothing'} here, but deployed with ${name} ${options[name]}`;
  return problemIf(here !== options[name], at, what, deployFirst);
}
