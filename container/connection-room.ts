// Which connections an HTTP server keeps when more are opened than it has room for. A new one is let in, and the one that
// is missed least is closed for it: one that has sent no request yet, or that rests between two. So whoever opens
// connections and says nothing shuts out nobody else, not even from the same address.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { peerOf } from './peer-address.ts';

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

/** Why a connection was closed: another needed its place, or all places are taken by requests at work. */
export type RoomReason = 'made-room' | 'no-room';

export type ConnectionRoom = {
  /** The connection has shown that it may ask: it is closed later than those that have not. */
  readonly prove: (socket: Socket) => void;
  /** The connection is counted elsewhere from now on, and never closed for another. */
  readonly setApart: (socket: Socket) => void;
};

type Connection = { readonly group: string; atWork: number; hasAsked: boolean; isProven: boolean };

/**
 * Watches over a server's connections: at most `total`, and `perAddress` of one address (IPv6: /64). `onClosed` hears of
 * each that was closed for want of room.
 */
export function keepRoom(
  server: Server,
  limits: { readonly total: number; readonly perAddress: number },
  onClosed: (reason: RoomReason, ip: string) => void = () => {},
): ConnectionRoom {
  const open = new Map<Socket, Connection>(); // oldest first
  const close = (socket: Socket, reason: RoomReason): void => {
    open.delete(socket);
    onClosed(reason, peerOf(socket.remoteAddress ?? '').ip);
    socket.destroy();
  };
  server.on('connection', (socket) => {
    const { group } = peerOf(socket.remoteAddress ?? '');
    const sizes = sizesOf(open);
    const isAddressFull = (sizes.get(group) ?? 0) >= limits.perAddress;
    if (isAddressFull || open.size >= limits.total) {
      const candidates = [...open].filter(([, other]) => !isAddressFull || other.group === group);
      const least = leastMissed(candidates, sizes);
      if (least === null) return close(socket, 'no-room');
      close(least, 'made-room');
    }
    open.set(socket, { group, atWork: 0, hasAsked: false, isProven: false });
    socket.on('close', () => open.delete(socket));
  });
  server.on('request', ({ socket }, response) => {
    const connection = open.get(socket);
    if (connection === undefined) return;
    connection.hasAsked = true;
    connection.atWork += 1;
    response.on('close', () => {
      connection.atWork -= 1;
    });
  });
  return {
    prove: (socket) => {
      const connection = open.get(socket);
      if (connection !== undefined) connection.isProven = true;
    },
    setApart: (socket) => open.delete(socket),
  };
}

function sizesOf(open: ReadonlyMap<Socket, Connection>): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const { group } of open.values()) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  return sizes;
}

/** Of the least missed kind the oldest of the address that has most; null where all are at work. */
function leastMissed(
  candidates: readonly (readonly [Socket, Connection])[],
  sizes: ReadonlyMap<string, number>,
): Socket | null {
  let least: { readonly socket: Socket; readonly rank: number; readonly size: number } | null = null;
  for (const [socket, connection] of candidates) {
    const rank = rankOf(socket, connection);
    const size = sizes.get(connection.group) ?? 0;
    if (rank === null) continue;
    if (least === null || rank < least.rank || (rank === least.rank && size > least.size)) {
      least = { socket, rank, size };
    }
  }
  return least?.socket ?? null;
}

/** How much a connection is missed; null: it is at work, and whoever asked takes the answer. */
function rankOf(socket: Socket, { atWork, hasAsked, isProven }: Connection): number | null {
  if (!hasAsked) return 0;
  if (atWork === 0) return isProven ? 2 : 1;
  return socket.writableLength > 0 ? 3 : null; // an answer that is not taken
}
