// A mail host of another domain: takes mail, answers slowly, says later, breaks off before or after the final dot, with the message
// taken or not. It remembers what it took, from whom, and whether its answer arrived.
import type { SimClock } from '#test/simulation/engine/clock.ts';
import type { SimProcess } from '#test/simulation/engine/process.ts';
import type { Random } from '#test/simulation/engine/random.ts';
import type { SimSocket } from '#test/simulation/engine/sockets.ts';
import type { Faults } from '#test/simulation/faults.ts';

/** A message that a host took. */
export type Taken = {
  readonly host: string;
  readonly recipients: readonly string[];
  readonly bytes: Buffer;
  readonly at: number;
  /** Who sent it. */
  readonly owner: SimProcess | null;
  /** When the 250 arrived there; null: it did not. */
  arrivedAt: number | null;
};

export type PeerWorld = {
  readonly clock: SimClock;
  readonly random: Random;
  readonly note: (line: string) => void;
  readonly faults: Faults['peers'];
  readonly mayFail: () => boolean;
  readonly onFault: (what: string) => void;
  readonly taken: Taken[];
};

/** Local parts that no host knows. */
const unknown: ReadonlySet<string> = new Set(['nobody', 'void']);

type Session = {
  readonly world: PeerWorld;
  readonly host: string;
  readonly socket: SimSocket;
  pending: Buffer;
  recipients: string[];
  isData: boolean;
  /** It thinks about its answer: what comes meanwhile waits. */
  isBusy: boolean;
};

/** Serves one connection. */
export function servePeer(world: PeerWorld, host: string, socket: SimSocket): void {
  const session: Session = {
    world,
    host,
    socket,
    pending: Buffer.alloc(0),
    recipients: [],
    isData: false,
    isBusy: false,
  };
  socket.on('data', (chunk: Buffer) => {
    session.pending = Buffer.concat([session.pending, chunk]);
    read(session);
  });
  socket.on('error', () => {});
  if (fails(session, world.faults.busy / 2)) say(session, '421 4.3.2 too many connections');
  else say(session, `220 ${host} ready`);
}

function read(session: Session): void {
  const { socket } = session;
  while (!session.isBusy && !socket.destroyed) {
    const mark = session.isData ? '\r\n.\r\n' : '\r\n';
    const end = session.pending.indexOf(mark);
    if (end < 0) return;
    const part = session.pending.subarray(0, end + (session.isData ? 2 : 0)).toString('latin1');
    session.pending = session.pending.subarray(end + mark.length);
    if (session.isData) take(session, part.replaceAll('\r\n..', '\r\n.').replace(/^\.\./, '.'));
    else command(session, part);
  }
}

function command(session: Session, line: string): void {
  const { faults, random } = session.world;
  const [verb = ''] = line.toUpperCase().split(/[ :]/);
  if (fails(session, faults.drops / 4)) later(session, () => breakOff(session));
  else if (fails(session, faults.busy / 4)) say(session, random.pick(['421 4.3.2 busy', '451 4.3.0 later']));
  else if (verb === 'EHLO') {
    say(session, `250-${session.host}\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 10485760`);
  } else if (verb === 'RCPT') recipient(session, line);
  else if (verb === 'DATA') {
    session.isData = true;
    say(session, '354 go on');
  } else if (verb === 'QUIT') later(session, () => void session.socket.end('221 2.0.0 bye\r\n'));
  else {
    if (verb === 'MAIL' || verb === 'RSET') session.recipients = [];
    say(session, '250 2.0.0 ok');
  }
}

function recipient(session: Session, line: string): void {
  const [, address = '', localPart = ''] = /<((.*)@.*)>/.exec(line) ?? [];
  const isKnown = !unknown.has(localPart);
  if (isKnown) session.recipients.push(address);
  say(session, isKnown ? '250 2.1.5 ok' : '550 5.1.1 no such user');
}

function take(session: Session, content: string): void {
  const { faults } = session.world;
  session.isData = false;
  if (fails(session, faults.busy)) say(session, '451 4.3.2 try later');
  else if (fails(session, faults.drops)) later(session, () => breakOff(session));
  else later(session, () => keep(session, content));
}

function keep(session: Session, content: string): void {
  const { world, host, socket, recipients } = session;
  const { clock, note, faults } = world;
  const owner = socket.other?.owner ?? null;
  const bytes = Buffer.from(content, 'latin1');
  const message: Taken = { host, recipients, bytes, at: clock.now(), owner, arrivedAt: null };
  world.taken.push(message);
  note(`${host} takes ${bytes.length} bytes for ${recipients.join(', ')}`);
  session.recipients = [];
  if (fails(session, faults.losesAnswer)) {
    breakOff(session);
    return;
  }
  socket.tell('250 2.0.0 taken\r\n', () => {
    message.arrivedAt = clock.now();
  });
}

function fails({ world, host }: Session, probability: number): boolean {
  const isSo = world.mayFail() && world.random.chance(probability);
  if (isSo) world.onFault(`${host} fails`);
  return isSo;
}

function say(session: Session, line: string): void {
  later(session, () => void session.socket.write(`${line}\r\n`));
}

function later(session: Session, work: () => void): void {
  const { clock, random, faults, mayFail } = session.world;
  session.isBusy = true;
  clock.in(random.between(1, mayFail() ? faults.slowestMs : 200), () => {
    session.isBusy = false;
    if (session.socket.destroyed) return;
    work();
    read(session);
  });
}

function breakOff({ world, host, socket }: Session): void {
  world.note(`${host} breaks off`);
  if (world.random.chance(0.3)) socket.vanish();
  else socket.destroy();
}
