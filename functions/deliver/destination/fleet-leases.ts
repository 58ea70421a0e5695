// The connections that this process may have to a destination, where several processes deliver: together they keep to its limit. Each
// takes a lease on as many as it needs (records/connection-leases.ts), for half a minute, and uses it for any number of messages. One
// process alone needs none of this: its slots (slots.ts) are all there are.
import type { Clock, Log, ObjectStore } from '#pipeline/contract/ports.ts';
import { type ConnectionLeases, connectionLeasesRecord } from '#pipeline/contract/records/connection-leases.ts';
import { errorFields } from '#pipeline/observe/log.ts';

/** The right to one connection. */
export type LeaseUse = { readonly release: () => void };

export type FleetLeases = {
  /** A connection, or null if the process has as many as the limit allows, or other processes have the rest. Throws if the store fails. */
  readonly acquire: (destination: string, limit: number) => Promise<LeaseUse | null>;
  /** How many connections this process may have open there, those that are idle included. */
  readonly held: (destination: string) => number;
  /** In how many milliseconds a job that got none should ask again: the more are refused, the later. */
  readonly waitMs: (
    destination: string,
    terms: { readonly longestMs: number; readonly random: () => number },
  ) => number;
  /** Prolongs the leases in use; called every five seconds while jobs run. */
  readonly renew: () => Promise<void>;
  /** Gives back what is not in use, where others wait or it would last long. Only when no connection is open there any more. */
  readonly giveBack: () => Promise<void>;
};

/** What this process holds of a destination; `until` in milliseconds since 1970. */
type Own = {
  readonly destination: string;
  limit: number;
  connections: number;
  until: number;
  uses: number;
  usedAt: number;
  /** Jobs that ask for one right now: all are served by one write. */
  asking: number;
  extending: Promise<boolean> | null;
  /** When the limit was last seen reached: others wait then. */
  fullAt: number;
  refusedUntil: number;
  /** When the newest of the leases that others hold began, as last seen. */
  othersSince: number;
  spacingMs: number;
  lastDueAt: number;
};

type LeaseDeps = {
  readonly store: Pick<ObjectStore, 'get' | 'put'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly owner: string;
};

const leaseMs = 30_000;
/** Of a lease that is renewed: its connections are slow, and to renew it costs two calls. */
const renewedMs = 90_000;
/** Others count a lease for so much longer: clocks differ, and a connection is not closed in an instant. */
const graceMs = 10_000;
const renewBelowMs = 20_000;
/** A lease that ends sooner is prolonged before it is used. */
const usableMs = 12_000;
/** An idle connection is closed after ten seconds. */
const idleMs = 12_000;
/** After a refusal the store is not asked again for so long. */
const refusalHoldsMs = 500;
/** After a destination was full, others are taken to wait for it so long. */
const crowdLastsMs = 60_000;
const shortestWaitMs = 1_000;
/** Of the time that all others have had their connections: a host that keeps them long is not soon free. */
const waitShare = 0.25;
const longestShareMs = 60_000;
const longestSpacingMs = 30_000;
/** Eight refusals to a success keep the pace of those that wait as it is. */
const paceAfter = { refusal: 1.1, success: 0.45 };
const maxRounds = 3;

/** The leases of one process. */
export function createFleetLeases(deps: LeaseDeps): FleetLeases {
  const { clock, log } = deps;
  const owns = new Map<string, Own>();
  const ownOf = (destination: string): Own => {
    const own = owns.get(destination) ?? newOwn(destination);
    owns.set(destination, own);
    return own;
  };
  return {
    held: (destination) => ownOf(destination).connections,
    acquire: async (destination, limit) => {
      const own = ownOf(destination);
      own.limit = limit;
      for (let round = 0; round < maxRounds && own.uses < limit; round++) {
        if (isUsable(own, clock())) return useOf(own, clock);
        if (clock() < own.refusedUntil) break;
        own.asking += 1;
        const isGranted = await extendOnce(deps, own).finally(() => {
          own.asking -= 1;
        });
        if (!isGranted) break;
      }
      own.spacingMs = Math.min(own.spacingMs * paceAfter.refusal, longestSpacingMs);
      return null;
    },
    waitMs: (destination, { longestMs, random }) => {
      const own = ownOf(destination);
      const now = clock();
      const share = Math.min((now - own.othersSince) * waitShare, longestShareMs);
      const soonest = now + Math.min(Math.max(shortestWaitMs, share), longestMs);
      own.lastDueAt = Math.max(own.lastDueAt, soonest) + own.spacingMs * (0.5 + random());
      if (own.lastDueAt - now <= longestMs) return own.lastDueAt - now;
      own.lastDueAt = now + longestMs;
      return longestMs * (0.5 + random() / 2);
    },
    renew: async () => {
      const due = [...owns.values()].filter((own) => isToRenew(own, clock()));
      const renewed = await Promise.allSettled(due.map((own) => extendOnce(deps, own)));
      for (const [n, { destination }] of due.entries()) {
        const result = renewed[n];
        if (result?.status === 'rejected')
          log.warn('destination-not-kept', { destination, ...errorFields(result.reason) });
      }
    },
    giveBack: async () => {
      const unused = [...owns.values()].filter((own) => isToGiveBack(own, clock()));
      // What cannot be given back runs out.
      await Promise.allSettled(unused.map((own) => giveBack(deps, own)));
      for (const own of owns.values()) if (isOver(own, clock())) owns.delete(own.destination);
    },
  };
}

function newOwn(destination: string): Own {
  return {
    destination,
    limit: 1,
    connections: 0,
    until: 0,
    uses: 0,
    usedAt: 0,
    asking: 0,
    extending: null,
    fullAt: 0,
    refusedUntil: 0,
    othersSince: Number.POSITIVE_INFINITY,
    spacingMs: shortestWaitMs,
    lastDueAt: 0,
  };
}

function isUsable({ uses, connections, until }: Own, now: number): boolean {
  return uses < connections && until - now >= usableMs;
}

function isToRenew({ uses, usedAt, connections, until }: Own, now: number): boolean {
  return connections > 0 && (uses > 0 || now - usedAt < idleMs) && until - now < renewBelowMs;
}

function isToGiveBack({ fullAt, uses, until }: Own, now: number): boolean {
  return uses === 0 && until > now && (now - fullAt < crowdLastsMs || until - now > leaseMs);
}

/** It holds nothing there, and no job of its own is on the way back. */
function isOver({ uses, until, lastDueAt, fullAt }: Own, now: number): boolean {
  return uses === 0 && Math.max(until, lastDueAt, fullAt + crowdLastsMs) <= now;
}

function useOf(own: Own, now: () => number): LeaseUse {
  own.uses += 1;
  own.spacingMs = Math.max(own.spacingMs * paceAfter.success, refusalHoldsMs);
  let isReleased = false;
  return {
    release: () => {
      if (isReleased) return;
      isReleased = true;
      own.uses -= 1;
      own.usedAt = now();
    },
  };
}

/** One write at a time, for all that ask. Answers whether there may be a connection for each of them. */
async function extendOnce(deps: LeaseDeps, own: Own): Promise<boolean> {
  own.extending ??= extend(deps, own).finally(() => {
    own.extending = null;
  });
  return own.extending;
}

async function extend({ store, clock, owner }: LeaseDeps, own: Own): Promise<boolean> {
  const { destination } = own;
  const now = clock();
  const until = Math.max(own.until, now + (own.asking === 0 ? renewedMs : leaseMs));
  let granted = 0;
  const stored = await connectionLeasesRecord.change(store, connectionLeasesRecord.key(destination), (before) => {
    const counting = (before?.leases ?? []).filter((lease) => countsAt(lease, now));
    const others = counting.filter((lease) => lease.owner !== owner);
    const mine = counting.find((lease) => lease.owner === owner);
    own.othersSince = Math.max(...others.map(({ since }) => Date.parse(since)), 0) || now;
    const wanted = Math.max(own.until > now ? own.connections : 0, own.uses + own.asking);
    // What is open stays covered, even if the limit is lower now.
    granted = Math.max(Math.min(wanted, own.limit - countOf(others)), Math.min(mine?.connections ?? 0, own.uses));
    if (granted <= 0) return before ?? emptyRecord(destination);
    const since = mine?.since ?? new Date(now).toISOString();
    const lease = { owner, connections: granted, since, until: new Date(until).toISOString() };
    return { schema: 'connection-leases/1', destination, leases: [...others, lease] };
  });
  if (stored === null || countOf(stored.leases) >= own.limit) own.fullAt = now;
  const isGranted = stored !== null && granted > own.uses;
  if (!isGranted) own.refusedUntil = now + refusalHoldsMs;
  if (stored !== null && granted > 0) Object.assign(own, { connections: granted, until });
  return isGranted;
}

async function giveBack({ store, owner }: LeaseDeps, own: Own): Promise<void> {
  own.connections = 0;
  own.until = 0;
  await connectionLeasesRecord.change(store, connectionLeasesRecord.key(own.destination), (before) => {
    const leases = before?.leases.filter((lease) => lease.owner !== owner) ?? [];
    if (before === null || leases.length === before.leases.length) return before ?? emptyRecord(own.destination);
    return { ...before, leases };
  });
}

function emptyRecord(destination: string): ConnectionLeases {
  return { schema: 'connection-leases/1', destination, leases: [] };
}

function countsAt({ until }: ConnectionLeases['leases'][number], now: number): boolean {
  return Date.parse(until) + graceMs > now;
}

function countOf(leases: ConnectionLeases['leases']): number {
  return leases.reduce((sum, { connections }) => sum + connections, 0);
}
