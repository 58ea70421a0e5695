// The load: many SMTP connections from one process, as cheap as Node can make them, so that the server is what is
// measured. One command at a time, as smtp-source does it. Closed loop (as fast as it answers) or open loop (a fixed rate).
import { createConnection, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'node:tls';

export type Load = {
  readonly port: number;
  readonly connections: number;
  readonly messages: number;
  /** The message as sent, without the final dot; lines end in CRLF. */
  readonly body: Buffer;
  /** Left out: `ada@load.example` and `bob@bench.example`. */
  readonly from?: string;
  readonly to?: string;
  /** Another sender and body (and recipient) for each message, by its number; left out: `from`, `body` and `to` for all. */
  readonly mail?: (turn: number) => { readonly from: string; readonly body: Buffer; readonly to?: string };
  /** Log in first, under STARTTLS: the load of a program that submits. */
  readonly login?: { readonly user: string; readonly password: string };
  /** Messages a second over all connections; left out: as fast as it goes. */
  readonly perSecond?: number;
  /** Told of each 250: the reply's text, how long DATA took in milliseconds, the message's number. */
  readonly onAccepted?: (reply: string, milliseconds: number, turn: number) => void;
};

/** Sends `messages` messages; answers how many seconds that took. Rejects when one is refused or a connection breaks. */
export async function runLoad(load: Load): Promise<number> {
  const state = { next: 0, startedAt: performance.now() };
  const sockets = await Promise.all(Array.from({ length: load.connections }, () => greet(load)));
  state.startedAt = performance.now();
  await Promise.all(sockets.map((socket) => sendInTurn(socket, load, state)));
  return (performance.now() - state.startedAt) / 1000;
}

type State = { next: number; readonly startedAt: number };
type Peer = { readonly socket: Socket; readonly replies: (count: number) => Promise<readonly string[]> };

async function sendInTurn(peer: Peer, load: Load, state: State): Promise<void> {
  const same = prepared(load);
  while (state.next < load.messages) {
    const turn = state.next++;
    const { commands, data } = load.mail === undefined ? same : prepared({ ...load, ...load.mail(turn) });
    if (load.perSecond !== undefined) await pauseUntil(state.startedAt + (turn * 1000) / load.perSecond);
    let go = '';
    for (const command of commands) {
      peer.socket.write(command);
      [go = ''] = await peer.replies(1);
    }
    if (!go.startsWith('354')) throw new Error(`message ${turn} is refused: ${go}`);
    const sentAt = performance.now();
    peer.socket.write(data);
    const [reply = ''] = await peer.replies(1);
    if (!reply.startsWith('250')) throw new Error(`message ${turn} is refused: ${reply}`);
    load.onAccepted?.(reply, performance.now() - sentAt, turn);
  }
  peer.socket.end('QUIT\r\n');
}

function prepared({ from = 'ada@load.example', to = 'bob@bench.example', body }: Pick<Load, 'from' | 'to' | 'body'>) {
  const commands = [`MAIL FROM:<${from}>\r\n`, `RCPT TO:<${to}>\r\n`, 'DATA\r\n'];
  return { commands, data: Buffer.concat([body, Buffer.from('.\r\n')]) };
}

async function greet({ port, login }: Load): Promise<Peer> {
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true });
  const peer = { socket, replies: replyReader(socket) };
  await peer.replies(1);
  await say(peer, 'EHLO load.example');
  return login === undefined ? peer : logIn(peer, login);
}

async function logIn(clear: Peer, { user, password }: NonNullable<Load['login']>): Promise<Peer> {
  await say(clear, 'STARTTLS');
  clear.socket.removeAllListeners('data');
  // A bench on loopback: the server's certificate is its own.
  const socket = connect({ socket: clear.socket, rejectUnauthorized: false });
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  const peer = { socket, replies: replyReader(socket) };
  await say(peer, 'EHLO load.example');
  await say(peer, `AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`);
  return peer;
}

async function say({ socket, replies }: Peer, command: string): Promise<void> {
  socket.write(`${command}\r\n`);
  const [reply = ''] = await replies(1);
  if (!/^[23]/.test(reply)) throw new Error(`${command.split(' ')[0]} was answered ${reply}`);
}

/** Reads whole replies (RFC 5321 §4.2.1: the last line of one has a space after its code). */
function replyReader(socket: Socket): Peer['replies'] {
  let text = '';
  let waiting: { readonly count: number; resolve: (lines: string[]) => void; reject: (cause: Error) => void } | null =
    null;
  const ready: string[] = [];
  const settle = () => {
    if (waiting === null || ready.length < waiting.count) return;
    const { resolve, count } = waiting;
    waiting = null;
    resolve(ready.splice(0, count));
  };
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
    let end = text.indexOf('\r\n');
    while (end >= 0) {
      if (text[3] !== '-') ready.push(text.slice(0, end));
      text = text.slice(end + 2);
      end = text.indexOf('\r\n');
    }
    settle();
  });
  const fail = (cause: Error) => waiting?.reject(cause);
  socket.on('error', fail).on('close', () => fail(new Error('the server closed the connection')));
  return (count) =>
    new Promise((resolve, reject) => {
      waiting = { count, resolve, reject };
      settle();
    });
}

async function pauseUntil(at: number): Promise<void> {
  const wait = at - performance.now();
  if (wait > 0) await pause(wait);
}
