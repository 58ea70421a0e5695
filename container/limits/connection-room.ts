// Which connections an HTTP server keeps when more are opened than it has room for. A new one is let in, and the least useful
// one is closed for it: one that has sent no request for a second, or is idle between two. So whoever opens connections and
// sends nothing shuts out nobody else, not even from the same address.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { peerOf } from '#mail/address/peer-address.ts';

/**
 * Deadlines for `createServer`, in milliseconds: for a request's header (from the connection's first moment), for all of a
 * request, for a connection between two requests, and how often the first two are looked at.
 */
export const httpDeadlines = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 1_000,
} as const;

/** Connections that the system holds before they are accepted; TCP tries the others again after a second. */
export const httpBacklog = 2_048;

/** Why a connection was closed: another needed its place, all places are taken by requests at work, or it asked too much. */
export type RoomReason = 'made-room' | 'no-room' | 'pipelining';

export type ConnectionRoom = {
  /** The connection has shown that it may ask: it is closed later than those that have not. */
  readonly prove: (socket: Socket) => void;
  /** Its answer is held back on purpose: it is closed like an idle one. */
  readonly hold: (socket: Socket) => void;
  /** The connection is counted elsewhere from now on, and never closed for another. */
  readonly setApart: (socket: Socket) => void;
};

type Connection = {
  readonly group: string;
  readonly openedAt: number;
  atWork: number;
  hasAsked: boolean;
  isProven: boolean;
  isHeld: boolean;
};

/**
 * Many may come in one moment: a new connection has a second to send its request before it is counted, and if all others
 * are at work on an answer it is let in all the same. So many beyond the limits there are at most.
 */
const grace = { ms: 1_000, connections: 1_000 };
/** Requests of one connection that wait for an answer: who sends more does not read any. */
const maxPipelined = 100;

/**
 * Watches over a server's connections: at most `total`, and `perAddress` of one address (IPv6: /64), not counting those of
 * the last moment that have sent nothing yet. `onClosed` is called for each that was closed for want of room.
 */
export function keepRoom(
  server: Server,
  limits: { readonly total: number; readonly perAddress: number; readonly grace?: typeof grace },
  onClosed: (reason: RoomReason, ip: string) => void = () => {},
): ConnectionRoom {
  const open = new Map<Socket, Connection>(); // oldest first
  const { ms: graceMs, connections: beyond } = limits.grace ?? grace;
  const close = (socket: Socket, reason: RoomReason): void => {
    open.delete(socket);
    onClosed(reason, peerOf(socket.remoteAddress ?? '').ip);
    socket.destroy();
  };
  const isNew = ({ hasAsked, openedAt }: Connection): boolean => !hasAsked && performance.now() - openedAt < graceMs;
  const makeRoomFor = (socket: Socket, { group }: Connection): void => {
    while (open.size > Math.min(limits.total, limits.perAddress)) {
      const counted = [...open].filter(([, other]) => !isNew(other));
      const least = leastUseful(counted, { socket, group }, limits);
      if (least === 'there-is-room') return;
      if (least === null) {
        if (open.size > limits.total + beyond) close(socket, 'no-room');
        return;
      }
      close(least, 'made-room');
    }
  };
  server.on('connection', (socket) => {
    const { group } = peerOf(socket.remoteAddress ?? '');
    const openedAt = performance.now();
    const connection = { group, openedAt, atWork: 0, hasAsked: false, isProven: false, isHeld: false };
    open.set(socket, connection);
    socket.on('close', () => open.delete(socket));
    makeRoomFor(socket, connection);
    const [first] = open.size > limits.total + beyond ? [...open].filter(([, other]) => isNew(other)) : [];
    if (first !== undefined) close(first[0], 'made-room');
  });
  server.on('request', ({ socket }, response) => {
    const connection = open.get(socket);
    if (connection === undefined) return;
    const isFirst = !connection.hasAsked;
    connection.hasAsked = true;
    connection.atWork += 1;
    response.on('close', () => {
      connection.atWork -= 1;
    });
    if (connection.atWork > maxPipelined) close(socket, 'pipelining');
    else if (isFirst) makeRoomFor(socket, connection);
  });
  const change = (socket: Socket, what: 'isProven' | 'isHeld'): void => {
    const connection = open.get(socket);
    if (connection !== undefined) connection[what] = true;
  };
  return {
    prove: (socket) => change(socket, 'isProven'),
    hold: (socket) => change(socket, 'isHeld'),
    setApart: (socket) => open.delete(socket),
  };
}

/**
 * Which connection is closed for the one of `socket`: of the lowest rank the oldest of the address that has most. Null: all others
 * are at work.
 */
function leastUseful(
  counted: readonly (readonly [Socket, Connection])[],
  { socket, group }: { readonly socket: Socket; readonly group: string },
  limits: { readonly total: number; readonly perAddress: number },
): Socket | 'there-is-room' | null {
  const sizes = new Map<string, number>();
  for (const [, other] of counted) sizes.set(other.group, (sizes.get(other.group) ?? 0) + 1);
  const isAddressFull = (sizes.get(group) ?? 0) > limits.perAddress;
  if (!isAddressFull && counted.length <= limits.total) return 'there-is-room';
  const [least] = counted
    .filter(([one, other]) => one !== socket && (!isAddressFull || other.group === group))
    .map(([one, other]) => ({ socket: one, rank: rankOf(one, other), size: sizes.get(other.group) ?? 0 }))
    .filter(({ rank }) => rank < atWorkRank)
    .sort((one, other) => one.rank - other.rank || other.size - one.size);
  return least?.socket ?? null;
}

const atWorkRank = 4;

/** The lower, the less useful. */
function rankOf(socket: Socket, { atWork, hasAsked, isProven, isHeld }: Connection): number {
  if (!hasAsked) return 0;
  if (atWork === 0 || isHeld) return isProven ? 2 : 1;
  return socket.writableLength > 0 ? 3 : atWorkRank; // 3: it does not read its answer
}
