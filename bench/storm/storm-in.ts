// The half of the storm that comes in: 1,200 mails at once from zones whose DNS never answers (half of them from five zones, half
// each from another), then 120, 20 a second. A neighbour comes every 100 ms before, during and after, 180 in all; its time runs
// from its 250 to the event that its JSON is there.
import { setTimeout as pause } from 'node:timers/promises';
import { plainMessage } from '#bench/load/messages.ts';
import { type Load, runLoad } from '#bench/load/smtp-load.ts';
import { until } from '#bench/load/wait.ts';
import { acceptedId, watchInbox } from '#bench/load/watch-inbox.ts';
import type { StormHalf, StormPlace } from './storm-place.ts';

const [atOnce, zones, perSecond, steadySeconds] = [1_200, 5, 20, 6];
const neighboursPerSecond = 10;
const [beforeSeconds, afterSeconds] = [2, 10];
/** What a neighbour may take, and what counts for one that took longer than we wait. */
const [boundSeconds, patienceSeconds] = [1.5, 240];

/** Sends both and waits for the neighbours. */
export async function stormIn({ mxPort: port, api }: StormPlace): Promise<StormHalf> {
  const { storedAt, stop } = await watchInbox(api);
  const accepted = new Map<string, number>();
  const base = { port, from: '', to: 'bob@load.example', body: Buffer.alloc(0) };
  const dead = (load: Pick<Load, 'connections' | 'messages' | 'perSecond'>, name: string) =>
    runLoad({ ...base, ...load, mail: (turn) => mail(`x@${zoneOf(name, turn)}.dark.test`) });
  const neighbours = runLoad({
    ...base,
    connections: 4,
    messages: neighboursPerSecond * (beforeSeconds + steadySeconds + afterSeconds),
    perSecond: neighboursPerSecond,
    mail: (turn) => mail(`n@well${turn}.example`),
    onAccepted: (reply) => accepted.set(acceptedId(reply), performance.now()),
  });
  await pause(beforeSeconds * 1_000);
  await dead({ connections: 40, messages: atOnce }, 'once');
  await dead({ connections: 4, messages: perSecond * steadySeconds, perSecond }, 'steady');
  await neighbours;
  const isAllThere = () => [...accepted.keys()].every((id) => storedAt.has(id));
  await until('the JSON of all neighbours', patienceSeconds, isAllThere).catch(() => undefined); // the missing ones count as late
  await stop();
  const seconds = [...accepted].map(([id, at]) => {
    const stored = storedAt.get(id);
    return stored === undefined ? patienceSeconds : Math.max(0, stored - at) / 1_000;
  });
  const late = seconds.filter((one) => one > boundSeconds).length;
  return { seconds, beside: `${atOnce} of dead zones, then ${perSecond}/s (${late} over ${boundSeconds} s)` };
}

function zoneOf(name: string, turn: number): string {
  return turn % 2 === 0 ? `zone${(turn / 2) % zones}` : `${name}${turn}`;
}

function mail(from: string): { readonly from: string; readonly body: Buffer } {
  const text = plainMessage(4_096).toString('latin1');
  return { from, body: Buffer.from(text.replace(/^From: .*$/m, `From: <${from}>`), 'latin1') };
}
