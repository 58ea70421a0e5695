// What surrounds an invocation: leases on connections are renewed while it runs. At its end all connections are closed, since the sandbox is
// frozen and could close none later, and what others wait for is given back.
import type { DeliverDeps } from './deliver-deps.ts';

const renewMs = 5_000;

/** Runs the invocation. */
export async function withLeases<Answer>(
  { leases, connections }: Required<Pick<DeliverDeps, 'leases'>> & Pick<DeliverDeps, 'connections'>,
  invocation: () => Promise<Answer>,
): Promise<Answer> {
  const timer = setInterval(() => void leases.renew(), renewMs);
  try {
    return await invocation();
  } finally {
    clearInterval(timer);
    await connections.closeIdle();
    await leases.giveBack();
  }
}
