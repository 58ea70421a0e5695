// Checks the server's name in the DNS: it has an address, and each address leads back to it (PTR).
import { recordText } from '#cli/dns/dns-records.ts';
import { relayOf } from '#cli/dns/way-out.ts';
import { whyNotPublic } from '#mail/address/reserved-name.ts';
import type { Config } from '#pipeline/config/config.ts';
import { placeholderProblem } from '#pipeline/config/config-problems.ts';
import type { DeployedOptions } from '#pipeline/contract/deployed-options.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { reversePointer } from '#pipeline/dns/reverse-name.ts';
import { askDns } from './ask-dns.ts';
import { advice, type Finding, missing, ok } from './finding.ts';
import { addressesOf } from './read-spf.ts';

type Host = {
  readonly config: Config;
  /** Of a deployment on AWS, which all the world reaches whatever the file says of ports. */
  readonly isDeployed: boolean;
  /** Those of a deployment on AWS; null if nothing is known of them. */
  readonly addresses: NonNullable<DeployedOptions['addresses']> | null;
};

export async function checkHost(host: Host, resolve: Resolve): Promise<readonly Finding[]> {
  const { config, isDeployed } = host;
  if (isDeployed) return [...deployedPlaceholder(config), ...(await checkAddresses(host, resolve))];
  const placeholder = placeholderProblem(config);
  return placeholder === null ? checkAddresses(host, resolve) : [missing(placeholder)];
}

function deployedPlaceholder({ hostname }: Config): readonly Finding[] {
  const reason = whyNotPublic(hostname);
  const mend = 'deploy with the option hostname: the name of the load balancer in your DNS; then write it here';
  return reason === null ? [] : [missing(`hostname: ${hostname} ${reason}`, mend)];
}

async function checkAddresses({ config, addresses }: Host, resolve: Resolve): Promise<readonly Finding[]> {
  const { hostname, delivery } = config;
  const answers = await Promise.all(['A', 'AAAA'].map((type) => askDns(resolve, hostname, type)));
  const found = answers.flatMap((answer) => (answer.outcome === 'records' ? answer.records.map(String) : []));
  const failure = answers.find((answer) => answer.outcome === 'no-answer');
  if (found.length === 0 && failure !== undefined) return [missing(failure.reason)];
  const wanted = addresses?.mx ?? (found.length === 0 ? ['ADDRESS'] : []);
  const lacking = wanted.filter((address) => !found.includes(address));
  const place =
    lacking.length === 0
      ? ok(`${hostname} is at ${found.join(', ')}`)
      : missing(
          `${hostname} ${found.length === 0 ? 'has no address in the DNS (A, AAAA)' : `is at ${found.join(', ')}`}`,
          lacking
            .map((value) => recordText({ name: hostname, type: 'A', value, about: 'its public address' }))
            .join('\n'),
        );
  // Receivers of mail by a relay see the relay's address, never ours.
  if (relayOf(delivery) !== null) return [place];
  if (addresses === null)
    return [place, ...(await Promise.all(found.map((one) => checkReverse(hostname, one, resolve))))];
  return addresses.outbound === null ? [place] : [place, await checkOutbound(addresses.outbound, resolve)];
}

/** The address that mail of a deployment leaves from: it has a name, which leads back to it. */
async function checkOutbound(address: string, resolve: Resolve): Promise<Finding> {
  const answer = await askDns(resolve, reversePointer(address) ?? address, 'PTR');
  if (answer.outcome === 'no-answer') return advice(answer.reason);
  for (const name of answer.records.map(String)) {
    if ((await addressesOf(resolve, name)).includes(address))
      return ok(`mail leaves from ${address}, which is ${name}`);
  }
  const command = 'aws ec2 modify-address-attribute --allocation-id OutboundAllocation --domain-name out.mx.YOURDOMAIN';
  return missing(
    `mail leaves from ${address}, which has no name that leads back to it (PTR ${answer.records.join(', ') || 'is not there'}): many receivers refuse mail from such an address`,
    `; publish an A record of ${address} under a name of its own, then:\n${command}`,
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
    recordText({ name, type: 'PTR', value: `${hostname}.`, about }),
  );
}
