// Questions to the DNS that notice when none is answered: then not a name but the DNS itself is at fault, and that is told once.
import type { Resolve } from '#pipeline/contract/ports.ts';
import { type DnsErrorCode, dnsError, dnsErrorCode, isTemporaryDnsError, saidOf } from '#pipeline/dns/answer.ts';
import { type Finding, unknown } from './finding.ts';

/** `said`: what the network said of it, if it was not the server (`ECONNREFUSED`); null: nothing more is known. */
type DnsFailure = { readonly code: DnsErrorCode; readonly said: string | null };

export type WatchedDns = {
  readonly resolve: Resolve;
  /** Why no question was answered; null if one was, or none was asked. */
  readonly failure: () => DnsFailure | null;
};

/** Every resolver that works has an answer to this. */
const probe = ['com', 'NS'] as const;

/** Once two questions had no answer in time, and no other had one, all others fail at once: each would wait as long. */
export function watchDns(ask: Resolve): WatchedDns {
  let hasAnswered = false;
  let failure: DnsFailure | null = null;
  let probed: Promise<void> | null = null;
  const noted = async (...[name, type]: Parameters<Resolve>): Promise<unknown> => {
    try {
      const answer = await ask(name, type);
      hasAnswered = true;
      return answer;
    } catch (thrown) {
      const code = dnsErrorCode(thrown);
      if (isTemporaryDnsError(code)) failure ??= { code, said: saidOf(thrown) };
      else if (code !== 'EBADNAME') hasAnswered = true;
      throw thrown;
    }
  };
  const isMute = (): boolean => !hasAnswered && failure?.code === 'ETIMEOUT';
  return {
    resolve: async (name, type) => {
      if (probed !== null) await probed;
      if (probed !== null && isMute()) throw dnsError('ETIMEOUT', name, type);
      try {
        return await noted(name, type);
      } catch (thrown) {
        if (isMute()) {
          probed ??= noted(...probe).then(
            () => {},
            () => {},
          );
          await probed;
        }
        throw thrown;
      }
    },
    failure: () => (hasAnswered ? null : failure),
  };
}

export type AskedDns = {
  readonly failure: DnsFailure;
  /** Those that were asked, and where they are named; null: this machine's own. */
  readonly servers: readonly string[];
  readonly configPath: string | null;
  readonly timeoutSeconds: number;
  /** Whose records are therefore not known. */
  readonly names: readonly string[];
};

/** In place of all that would be said of the names. */
export function noDns({ failure, servers, configPath, timeoutSeconds, names }: AskedDns): Finding {
  const whose = configPath === null ? 'of this machine (/etc/resolv.conf)' : `in dns.servers of ${configPath}`;
  const who = servers.length === 0 ? 'there is none' : servers.join(', ');
  const what = `the DNS cannot be asked: ${whyNot(failure, timeoutSeconds)} (${who}, ${whose})`;
  const other = 'Another server, for this check and for the service: "dns": { "servers": ["ADDRESS:53"] }.';
  const left = `Not known, and so not checked: the records of ${names.join(', ')}.`;
  return unknown(what, { hint: [whatToDo(failure), other, left].join('\n') });
}

function whyNot({ code, said }: DnsFailure, timeoutSeconds: number): string {
  if (code === 'ETIMEOUT') return `no answer within ${timeoutSeconds} s`;
  if (code === 'EREFUSED') return 'the server refuses to answer (REFUSED)';
  return said === null ? 'the server answers that it failed (SERVFAIL)' : `the server cannot be reached (${said})`;
}

function whatToDo({ code, said }: DnsFailure): string {
  if (code === 'EREFUSED') return 'It answers other machines, or for zones of its own only: a resolver is needed.';
  if (code === 'ESERVFAIL' && said === null) return 'It cannot ask the DNS itself: look at its network, and its log.';
  return 'Is this machine on a network, does a firewall let port 53 out (UDP and TCP), and is that its DNS server?';
}
