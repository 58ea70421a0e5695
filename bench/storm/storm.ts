// A storm of 2,000 mails through one service: 500 go out, 300 of them to domains of one mail host that never greets; 1,500 come in,
// 1,320 of them from domains whose DNS never answers. What counts is how long their neighbours take: mail between parties that are well.

import { quantile, shown } from '#bench/figures/statistics.ts';
import type { Row } from '#bench/figures/table.ts';
import { startDns } from '#bench/load/dns-server.ts';
import { freePort, startService } from '#bench/load/start-service.ts';
import { startStormHosts, stormDns } from './storm-hosts.ts';
import { stormIn } from './storm-in.ts';
import { stormOut } from './storm-out.ts';
import { type StormHalf, stormConfig } from './storm-place.ts';

/** Four rows: the neighbours' p50 and p99 in seconds, of mail out and of mail in. */
export async function measureStorm(): Promise<readonly Row[]> {
  const [dns, hosts] = await Promise.all([startDns(stormDns), startStormHosts()]);
  const [mxPort, submissionPort] = [await freePort(), await freePort()];
  const service = await startService('embedded', await stormConfig({ mxPort, submissionPort, dns, hosts }));
  const place = { mxPort, submissionPort, api: service.api };
  try {
    const [out, into] = await Promise.all([stormOut(place, hosts), stormIn(place)]);
    return [...rowsOf('mail out', out), ...rowsOf('mail in', into)];
  } finally {
    await service.stop();
    dns.close();
    await hosts.close();
  }
}

function rowsOf(half: string, { seconds, beside }: StormHalf): readonly Row[] {
  return [0.5, 0.99].map((share) => ({
    what: `storm, ${half}: neighbours' p${share * 100}`,
    value: `${shown(quantile(seconds, share))} s`,
    beside: `${seconds.length} neighbours beside ${beside}`,
    ratio: quantile(seconds, share),
    target: { atMost: 1.5 },
  }));
}
