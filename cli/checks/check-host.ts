// Checks the server's name in the DNS: it has an address, and each address leads back to it (PTR).
import type { ConfigPlace } from '#cli/config/config-place.ts';
import type { DnsRecord } from '#cli/dns/dns-record.ts';
import { relayOf, type WayOut } from '#cli/dns/way-out.ts';
import { whyNotPublic } from '#mail/address/reserved-name.ts';
import type { Config } from '#pipeline/config/config.ts';
import { placeholderProblem } from '#pipeline/config/config-problems.ts';
import type { DeployedOptions } from '#pipeline/contract/deployed-options.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { reversePointer } from '#pipeline/dns/reverse-name.ts';
import { askDns, type DnsAnswer } from './ask-dns.ts';
import { checkSpf } from './check-spf.ts';
import { advice, type Finding, missing, ok, unknown } from './finding.ts';
import { addressesOf } from './read-spf.ts';

export type HostCheck = {
  readonly config: Config;
  readonly resolve: Resolve;
  /** How its mail leaves. */
  readonly ways: readonly WayOut[];
  /** A deployment on AWS is reached by all the world, whatever the file says of ports. */
  readonly stack: Pick<NonNullable<ConfigPlace['stack']>, 'region'> | null;
  /** Those of a deployment on AWS; null if nothing is known of them. */
  readonly addresses: NonNullable<DeployedOptions['addresses']> | null;
  /** The public IPv4 addresses that this machine itself has. */
  readonly machine: readonly string[];
};

export async function checkHost(host: HostCheck): Promise<readonly Finding[]> {
  const { config, stack } = host;
  if (stack !== null) return [...deployedPlaceholder(config), ...(await checkAddresses(host))];
  const placeholder = placeholderProblem(config);
  return placeholder === null ? checkAddresses(host) : [missing(placeholder)];
}

function deployedPlaceholder({ hostname }: Config): readonly Finding[] {
  const reason = whyNotPublic(hostname);
  const hint = 'Deploy with the option hostname: the name of the load balancer in your DNS; then write it here.';
  return reason === null ? [] : [missing(`hostname: ${hostname} ${reason}`, { hint })];
}

async function checkAddresses(host: HostCheck): Promise<readonly Finding[]> {
  const { config, resolve, addresses, stack } = host;
  const { hostname, delivery } = config;
  const answers = await Promise.all(['A', 'AAAA'].map((type) => askDns(resolve, hostname, type)));
  const found = answers.flatMap((answer) => (answer.outcome === 'records' ? answer.records.map(String) : []));
  const failure = answers.find((answer) => answer.outcome === 'no-answer');
  if (found.length === 0 && failure !== undefined) return [unknown(failure.reason)];
  const place = await judgeAddresses(host, found);
  // Receivers of mail by a relay see the relay's name and address, never ours.
  if (relayOf(delivery) !== null) return [place];
  const outbound = addresses?.outbound ?? null;
  const reverse =
    outbound !== null && stack !== null
      ? [await checkOutbound(outbound, { hostname, region: stack.region, resolve })]
      : await Promise.all(
          addresses === null ? leavingFrom(host, found).map((one) => checkReverse(hostname, one, resolve)) : [],
        );
  return [place, ...reverse, ...(await checkOwnSpf(host))];
}

/** The addresses that mail leaves from: this machine's own, if its name in the DNS has none of them. */
function leavingFrom({ machine }: HostCheck, found: readonly string[]): readonly string[] {
  return isElsewhere(machine, found) ? machine : found;
}

function isElsewhere(machine: readonly string[], found: readonly string[]): boolean {
  return found.length > 0 && machine.length > 0 && !machine.some((address) => found.includes(address));
}

/** The names that an address has by PTR; those that lead back to it prove it. */
async function namesOf(address: string, resolve: Resolve): Promise<DnsAnswer<{ name: string; leadsBack: boolean }>> {
  const answer = await askDns(resolve, reversePointer(address) ?? address, 'PTR');
  if (answer.outcome === 'no-answer') return answer;
  const names = answer.records.map(async (one) => {
    const name = String(one).toLowerCase();
    return { name, leadsBack: (await addressesOf(resolve, name)).includes(address) };
  });
  return { outcome: 'records', records: await Promise.all(names) };
}

async function judgeAddresses(
  { config: { hostname }, addresses, machine, resolve }: HostCheck,
  found: readonly string[],
): Promise<Finding> {
  if (addresses === null && isElsewhere(machine, found)) {
    const what = `${hostname} is at ${found.join(', ')}, and this machine at ${machine.join(', ')}: in HELO it says a name that is not its own`;
    const records = machine.map((value): DnsRecord => {
      return { name: hostname, type: 'A', value, about: `in place of ${found.join(', ')}` };
    });
    const named = await namesOf(machine[0] ?? '', resolve);
    const own = named.outcome === 'records' ? named.records.find(({ leadsBack }) => leadsBack)?.name : undefined;
    const name = own === undefined ? '' : `, ${own}`;
    const hint = `Or set "hostname" to the name of this machine${name}. If its mail comes and leaves by another one, this is no fault.`;
    return advice(what, { records, hint });
  }
  const isKnown = addresses !== null || machine.length > 0;
  const wanted = addresses?.mx ?? (found.length > 0 ? [] : isKnown ? machine : ['ADDRESS']);
  const lacking = wanted.filter((address) => !found.includes(address));
  if (lacking.length === 0) return ok(`${hostname} is at ${found.join(', ')}`);
  const records = lacking.map((value): DnsRecord => {
    return { name: hostname, type: 'A', value, about: 'its public address' };
  });
  const where = found.length === 0 ? 'has no address in the DNS (A, AAAA)' : `is at ${found.join(', ')}`;
  const ask = { run: ['curl -4 https://checkip.amazonaws.com'], hint: 'That shows the ADDRESS that others see.' };
  return missing(`${hostname} ${where}`, { records, ...(isKnown ? {} : ask) });
}

/** Reports have no sender: receivers then judge them by the SPF record of the name that is said in EHLO (RFC 7208 §2.4). */
async function checkOwnSpf({ config: { hostname, domains }, ways, resolve }: HostCheck): Promise<readonly Finding[]> {
  if (Object.hasOwn(domains, hostname)) return [];
  const found = await checkSpf({ domain: hostname, ways }, resolve);
  return [found.level === 'missing' || found.level === 'unknown' ? { ...found, level: 'advice' } : found];
}

type Outbound = { readonly hostname: string; readonly region: string; readonly resolve: Resolve };

/** The address that mail of a deployment leaves from: it has a name, which leads back to it. */
async function checkOutbound(address: string, { hostname, region, resolve }: Outbound): Promise<Finding> {
  const answer = await namesOf(address, resolve);
  if (answer.outcome === 'no-answer') return advice(answer.reason);
  const proven = answer.records.find(({ leadsBack }) => leadsBack);
  if (proven !== undefined) return ok(`mail leaves from ${address}, which is ${proven.name}`);
  const names = answer.records.map((one) => one.name);
  const [name = `out.${hostname}`] = names;
  const id = `$(aws ec2 describe-addresses --public-ips ${address} --query 'Addresses[0].AllocationId' --output text --region ${region})`;
  const command = `aws ec2 modify-address-attribute --allocation-id ${id} --domain-name ${name} --region ${region}`;
  const record: DnsRecord = { name, type: 'A', value: address, about: 'where mail leaves from: a name of its own' };
  const order = 'Once the record is there: AWS looks for it before it takes the PTR.';
  return missing(
    `mail leaves from ${address}, which has no name that leads back to it (PTR ${names.join(', ') || 'is not there'}): many receivers refuse mail from such an address`,
    { records: [record], ...(names.length === 0 ? { run: [command], hint: order } : {}) },
  );
}

async function checkReverse(hostname: string, address: string, resolve: Resolve): Promise<Finding> {
  const name = reversePointer(address) ?? address;
  const answer = await askDns(resolve, name, 'PTR');
  if (answer.outcome === 'no-answer') return advice(answer.reason);
  const names = answer.records.map(String);
  if (names.some((one) => one.toLowerCase() === hostname)) return ok(`${address} leads back to ${hostname} (PTR)`);
  const about = 'whoever gave you the address publishes this, not your zone';
  return advice(
    `${address} does not lead back to ${hostname} (PTR ${names.join(', ') || 'is not there'}): many receivers refuse mail from such a server`,
    { records: [{ name, type: 'PTR', value: `${hostname}.`, about }] },
  );
}
