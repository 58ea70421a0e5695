// A DNS server over UDP that knows the texts the test gives it and says NXDOMAIN to all else, as late as the test wants for each
// name, or not at all.
import { createSocket } from 'node:dgram';

export type ScriptedDns = { readonly server: string; readonly asked: readonly string[]; readonly close: () => void };

/**
 * `delayMs`: how long a question waits for its answer; null: for ever. `texts`: the TXT record of each name that has one. `rcode`: what all
 * other questions get (RFC 1035 §4.1.1), NXDOMAIN unless given.
 */
export function startScriptedDns(
  delayMs: (name: string) => number | null,
  texts: Readonly<Record<string, string>> = {},
  rcode = 3,
): Promise<ScriptedDns> {
  const socket = createSocket('udp4');
  const asked: string[] = [];
  const late = new Set<NodeJS.Timeout>();
  socket.on('message', (question, from) => {
    const name = nameIn(question);
    asked.push(name);
    const delay = delayMs(name);
    if (delay === null) return;
    const text = texts[name];
    const answer = text === undefined ? without(question, rcode) : textAnswer(question, text);
    const timer = setTimeout(() => {
      late.delete(timer);
      socket.send(answer, from.port, from.address, () => {});
    }, delay).unref();
    late.add(timer);
  });
  const close = (): void => {
    for (const timer of late) clearTimeout(timer);
    socket.close();
  };
  return new Promise((resolve) => {
    socket.bind(0, '127.0.0.1', () => resolve({ server: `127.0.0.1:${socket.address().port}`, asked, close }));
  });
}

function without(question: Buffer, rcode: number): Buffer {
  const answer = Buffer.from(question);
  answer.writeUInt16BE(0x8180 + rcode, 2); // a response, recursion available
  return answer;
}

/** RFC 1035 §4.1: the question as it came, one TXT record of one string where it asks for that. */
function textAnswer(question: Buffer, text: string): Buffer {
  let end = 12;
  for (; (question[end] ?? 0) > 0; end += 1 + (question[end] ?? 0));
  const isText = question.readUInt16BE(end + 1) === 16;
  const answer = Buffer.from(question.subarray(0, end + 5));
  answer.writeUInt16BE(0x8180, 2);
  answer.writeUInt16BE(isText ? 1 : 0, 6);
  answer.writeUInt32BE(0, 8);
  if (!isText) return answer;
  const record = [0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, text.length + 1, text.length];
  return Buffer.concat([answer, Buffer.from(record), Buffer.from(text)]);
}

function nameIn(question: Buffer): string {
  const labels: string[] = [];
  for (let at = 12; (question[at] ?? 0) > 0; at += 1 + (question[at] ?? 0)) {
    labels.push(question.toString('latin1', at + 1, at + 1 + (question[at] ?? 0)));
  }
  return labels.join('.').toLowerCase();
}
