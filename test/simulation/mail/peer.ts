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

/** Serves one connection. */
export function servePeer(world: PeerWorld, host: string, socket: SimSocket): void {
  const { clock, random, note, faults, mayFail } = world;
  let pending = Buffer.alloc(0);
  let recipients: string[] = [];
  let isData = false;
  let isBusy = false;
  const fails = (probability: number): boolean => {
    const isSo = mayFail() && random.chance(probability);
    if (isSo) world.onFault(`${host} fails`);
    return isSo;
  };
  const later = (work: () => void): void => {
    isBusy = true;
    clock.in(mayFail() ? random.between(1, faults.slowestMs) : random.between(1, 200), () => {
      isBusy = false;
      if (socket.destroyed) return;
      work();
      read();
    });
  };
  const say = (line: string): void => later(() => void socket.write(`${line}\r\n`));
  const breakOff = (): void => {
    note(`${host} breaks off`);
    if (random.chance(0.3)) socket.vanish();
    else socket.destroy();
  };
  const take = (content: Buffer): void => {
    if (fails(faults.busy)) return say('451 4.3.2 try later');
    if (fails(faults.drops)) return later(breakOff);
    later(() => {
      const owner = socket.other?.owner ?? null;
      const message: Taken = { host, recipients, bytes: content, at: clock.now(), owner, arrivedAt: null };
      world.taken.push(message);
      note(`${host} takes ${content.length} bytes for ${recipients.join(', ')}`);
      recipients = [];
      if (fails(faults.losesAnswer)) return breakOff();
      socket.tell('250 2.0.0 taken\r\n', () => {
        message.arrivedAt = clock.now();
      });
    });
  };
  const command = (line: string): void => {
    const [verb = ''] = line.toUpperCase().split(/[ :]/);
    if (fails(faults.drops / 4)) return later(breakOff);
    if (fails(faults.busy / 4)) return say(random.pick(['421 4.3.2 busy', '451 4.3.0 later']));
    switch (verb) {
      case 'EHLO':
        return say(`250-${host}\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 10485760`);
      case 'RCPT': {
        const [, address = '', localPart = ''] = /<((.*)@.*)>/.exec(line) ?? [];
        if (unknown.has(localPart)) return say('550 5.1.1 no such user');
        recipients.push(address);
        return say('250 2.1.5 ok');
      }
      case 'DATA':
        isData = true;
        return say('354 go on');
      case 'QUIT':
        return later(() => void socket.end('221 2.0.0 bye\r\n'));
      default:
        if (verb === 'MAIL' || verb === 'RSET') recipients = [];
        return say('250 2.0.0 ok');
    }
  };
  const read = (): void => {
    while (!isBusy && !socket.destroyed) {
      const mark = isData ? '\r\n.\r\n' : '\r\n';
      const end = pending.indexOf(mark);
      if (end < 0) return;
      const part = pending.subarray(0, end + (isData ? 2 : 0));
      pending = pending.subarray(end + mark.length);
      if (!isData) command(part.toString('latin1'));
      else {
        isData = false;
        take(Buffer.from(part.toString('latin1').replaceAll('\r\n..', '\r\n.').replace(/^\.\./, '.'), 'latin1'));
      }
    }
  };
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    read();
  });
  socket.on('error', () => {});
  if (fails(faults.busy / 2)) say('421 4.3.2 too many connections');
  else say(`220 ${host} ready`);
}
