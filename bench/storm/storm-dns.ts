// The DNS of the storm, on a port of this machine: every name under `dead.test` has the one mail host that never greets, every name
// under `up.test` a host of its own that does, names under `dark.test` get no answer at all, and no other name exists.
import { createSocket } from 'node:dgram';
import { deadHost } from './storm-hosts.ts';

/** `server`: `address:port` for `dns.servers`. */
export type StormDns = { readonly server: string; readonly close: () => Promise<void> };

const [typeA, typeMx, nxDomain] = [1, 15, 3];

/** Starts it. */
export async function startStormDns(): Promise<StormDns> {
  const socket = createSocket('udp4');
  socket.on('message', (question, from) => {
    const answer = answerTo(question);
    if (answer !== null) socket.send(answer, from.port, from.address);
  });
  await new Promise<void>((resolve) => void socket.bind(0, '127.0.0.1', resolve));
  return {
    server: `127.0.0.1:${socket.address().port}`,
    close: () => new Promise<void>((resolve) => void socket.close(() => resolve())),
  };
}

/** The answer to a question (RFC 1035 §4.1); null where none is sent. */
function answerTo(question: Buffer): Buffer | null {
  const labels: string[] = [];
  let at = 12;
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString('latin1', at + 1, at + 1 + length).toLowerCase());
    at += 1 + length;
  }
  const name = labels.join('.');
  if (name.endsWith('dark.test')) return null;
  const type = question.readUInt16BE(at + 1);
  const isKnown = name.endsWith('.dead.test') || name.endsWith('.up.test');
  const data = isKnown ? dataOf(name, type) : null;
  const answer = Buffer.from(question.subarray(0, at + 5)); // up to the question's type and class
  answer.writeUInt16BE(0x8180 + (isKnown ? 0 : nxDomain), 2);
  answer.writeUInt16BE(data === null ? 0 : 1, 6);
  answer.writeUInt32BE(0, 8);
  if (data === null) return answer;
  return Buffer.concat([answer, Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 1, 44, 0, data.length]), data]);
}

/** `d7.dead.test` has the mail host `mx.dead.test`, `h7.up.test` is its own. */
function dataOf(name: string, type: number): Buffer | null {
  const number = Number(/^h(\d{1,3})\.up\.test$/.exec(name)?.[1] ?? 0);
  if (type === typeA) return Buffer.from((number === 0 ? deadHost : `127.0.9.${number}`).split('.').map(Number));
  if (type !== typeMx || number > 0) return null;
  const labels = ['mx', 'dead', 'test'].map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`));
  return Buffer.concat([Buffer.from([0, 10]), ...labels, Buffer.from([0])]);
}
