// A DNS server over UDP that says NXDOMAIN to everything, as late as the test wants for each name, or not at all.
import { createSocket } from 'node:dgram';

export type ScriptedDns = { readonly server: string; readonly asked: readonly string[]; readonly close: () => void };

/** `delayMs`: how long a question waits for its answer; null: for ever. */
export function startScriptedDns(delayMs: (name: string) => number | null): Promise<ScriptedDns> {
  const socket = createSocket('udp4');
  const asked: string[] = [];
  socket.on('message', (question, from) => {
    const name = nameIn(question);
    asked.push(name);
    const delay = delayMs(name);
    if (delay === null) return;
    const answer = Buffer.from(question);
    answer.writeUInt16BE(0x8183, 2); // a response, recursion available, NXDOMAIN
    setTimeout(() => socket.send(answer, from.port, from.address, () => {}), delay).unref();
  });
  return new Promise((resolve) => {
    socket.bind(0, '127.0.0.1', () =>
      resolve({ server: `127.0.0.1:${socket.address().port}`, asked, close: () => socket.close() }),
    );
  });
}

function nameIn(question: Buffer): string {
  const labels: string[] = [];
  for (let at = 12; (question[at] ?? 0) > 0; at += 1 + (question[at] ?? 0)) {
    labels.push(question.toString('latin1', at + 1, at + 1 + (question[at] ?? 0)));
  }
  return labels.join('.').toLowerCase();
}
