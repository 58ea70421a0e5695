// A DNS server on a port of this machine that gives at most one record for an answer (RFC 1035 §4).
import { createSocket } from 'node:dgram';

export const recordTypes = { a: 1, mx: 15, txt: 16 } as const;

/** The data of the record that was asked for; or that the name has none of the type, that there is no such name, or nothing at all. */
export type DnsAnswer = Buffer | 'no-record' | 'no-name' | 'silence';

/** `server`: `address:port` for `dns.servers`. */
export type DnsServer = { readonly server: string; readonly close: () => void };

/** Starts it. `answer` gets names in lower case, without a dot at their end; each is sent when `hold` resolves. */
export async function startDns(
  answer: (name: string, type: number) => DnsAnswer,
  hold: () => Promise<void> = async () => undefined,
): Promise<DnsServer> {
  const socket = createSocket('udp4');
  socket.on('message', (question, from) => {
    const reply = replyTo(question, answer);
    if (reply !== null) void hold().then(() => socket.send(reply, from.port, from.address));
  });
  await new Promise<void>((resolve) => void socket.bind(0, '127.0.0.1', resolve));
  return { server: `127.0.0.1:${socket.address().port}`, close: () => socket.close() };
}

/** The data of a TXT record: strings of at most 255 octets (RFC 1035 §3.3.14). */
export function textRecord(text: string): Buffer {
  const strings = text.match(/.{1,255}/g) ?? [];
  return Buffer.from(strings.map((part) => `${String.fromCharCode(part.length)}${part}`).join(''), 'latin1');
}

function replyTo(question: Buffer, answer: (name: string, type: number) => DnsAnswer): Buffer | null {
  const labels: string[] = [];
  let at = 12;
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString('latin1', at + 1, at + 1 + length).toLowerCase());
    at += 1 + length;
  }
  const type = question.readUInt16BE(at + 1);
  const data = answer(labels.join('.'), type);
  if (data === 'silence') return null;
  const reply = Buffer.from(question.subarray(0, at + 5)); // up to the question's type and class
  reply.writeUInt16BE(data === 'no-name' ? 0x8183 : 0x8180, 2);
  reply.writeUInt16BE(typeof data === 'string' ? 0 : 1, 6);
  reply.writeUInt32BE(0, 8);
  if (typeof data === 'string') return reply;
  const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 1, 44, data.length >> 8, data.length & 255]);
  return Buffer.concat([reply, record, data]);
}
