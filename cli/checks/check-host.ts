// Checks the server's name in the DNS: it has an address, and each address leads back to it (PTR).
import { type DnsRecord, recordText, relayOf } from '#cli/dns-records.ts';
import type { Config } from '#pipeline/config/config.ts';
import { placeholderProblem } from '#pipeline/config/config-problems.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { reversePointer } from '#pipeline/dns/reverse-name.ts';
import { askDns } from './ask-dns.ts';
import { advice, type Finding, missing, ok } from './finding.ts';

export async function checkHost(config: Config, resolve: Resolve): Promise<readonly Finding[]> {
  const { hostname, delivery } = config;
  const placeholder = placeholderProblem(config);
  if (placeholder !== null) return [missing(placeholder)];
  const answers = await Promise.all(['A', 'AAAA'].map((type) => askDns(resolve, hostname, type)));
  const addresses = answers.flatMap((answer) => (answer.outcome === 'records' ? answer.records.map(String) : []));
  const failure = answers.find((answer) => answer.outcome === 'no-answer');
  if (addresses.length === 0 && failure !== undefined) return [missing(failure.reason)];
  if (addresses.length === 0) {
    const record: DnsRecord = { name: hostname, type: 'A', value: 'ADDRESS', about: "this server's public address" };
    return [missing(`${hostname} has no address in the DNS (A, AAAA)`, recordText(record))];
  }
  // Receivers of mail by a relay see the relay's address, never ours.
  const senders = relayOf(delivery) === null ? addresses : [];
  const reverse = await Promise.all(senders.map((address) => checkReverse(hostname, address, resolve)));
  return [ok(`${hostname} is at ${addresses.join(', ')}`), ...reverse];
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
