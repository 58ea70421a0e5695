// The half of the storm that goes out: 300 mails to 30 domains of one mail host that never greets, all at once, and then
// 200 to 40 domains whose hosts are well. A neighbour's time runs from its 250 at submission to its 250 at its host.
import { plainMessage } from '#bench/load/messages.ts';
import { runLoad } from '#bench/load/smtp-load.ts';
import { until } from '#bench/load/wait.ts';
import type { StormHosts } from './storm-hosts.ts';
import { type StormHalf, type StormPlace, stormLogin } from './storm-place.ts';

const [deadMails, deadDomains, neighbours, upDomains] = [300, 30, 200, 40];
const neighboursPerSecond = 20;
/** A neighbour that took longer counts as if it had taken so long. */
const patienceSeconds = 240;

/** Sends both and waits for the neighbours. */
export async function stormOut({ submissionPort: port }: StormPlace, hosts: StormHosts): Promise<StormHalf> {
  const accepted = new Map<string, number>();
  const load = { port, from: stormLogin.user, to: '', body: Buffer.alloc(0), login: stormLogin };
  const mail = (subject: string, to: string) => ({ from: stormLogin.user, to, body: plainMessage(4_096, subject) });
  await runLoad({
    ...load,
    connections: 10,
    messages: deadMails,
    mail: (turn) => mail(`dead${turn}`, `x@d${turn % deadDomains}.dead.test`),
  });
  await runLoad({
    ...load,
    connections: 10,
    messages: neighbours,
    perSecond: neighboursPerSecond,
    mail: (turn) => mail(`up${turn}`, `x@h${1 + (turn % upDomains)}.up.test`),
    onAccepted: (_reply, _milliseconds, turn) => accepted.set(`up${turn}`, performance.now()),
  });
  const isAllThere = () => [...accepted.keys()].every((subject) => hosts.arrivals.has(subject));
  await until('all neighbours', patienceSeconds, isAllThere).catch(() => undefined); // the missing ones count as late
  const seconds = [...accepted].map(([subject, at]) => {
    const arrival = hosts.arrivals.get(subject);
    return arrival === undefined ? patienceSeconds : Math.max(0, arrival - at) / 1_000;
  });
  return { seconds, beside: `${deadMails} to a dead host (${hosts.mostAtDeadHost()} connections)` };
}
