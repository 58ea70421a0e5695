// Gives a message to a milter as an MTA would, and puts the header fields it asks for on top: enough of Sendmail's milter
// protocol (version 6) to have a running OpenDKIM sign.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** The message with the fields that the milter at 127.0.0.1 adds. CRLF throughout. */
export async function signByMilter(port: number, message: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  try {
    const read = packetsOf(socket);
    const negotiation = Buffer.alloc(12);
    negotiation.writeUInt32BE(6, 0); // version
    negotiation.writeUInt32BE(0x1ff, 4); // whatever it wants to change, it may
    send(socket, 'O', negotiation);
    await read();
    const end = message.indexOf('\r\n\r\n');
    const fields = message.slice(0, end).split(/\r\n(?![ \t])/);
    const steps: readonly (readonly [command: string, data: Buffer])[] = [
      ['C', Buffer.concat([Buffer.from('localhost\x004'), Buffer.from([0, 25]), Buffer.from('127.0.0.1\0')])],
      ['H', Buffer.from('localhost\0')],
      ['M', Buffer.from('<ann@sender.example>\0')],
      ['R', Buffer.from('<bob@ours.example>\0')],
      ...fields.map((field) => ['L', Buffer.from(`${field.replace(/: ?/, '\0').replace(/\r\n/g, '\n')}\0`)] as const),
      ['N', Buffer.alloc(0)],
      ['B', Buffer.from(message.slice(end + 4))],
    ];
    for (const [command, data] of steps) {
      send(socket, command, data);
      const answer = await read();
      if (answer.command !== 'c') throw new Error(`the milter answered ${answer.command} to ${command}`);
    }
    send(socket, 'E', Buffer.alloc(0));
    return (await addedFields(read)) + message;
  } finally {
    socket.destroy();
  }
}

type Packet = { readonly command: string; readonly data: Buffer };

async function addedFields(read: () => Promise<Packet>): Promise<string> {
  let added = '';
  for (;;) {
    const { command, data } = await read();
    if (command === 'c' || command === 'a') return added;
    if (command !== 'h' && command !== 'i') continue;
    const [name = '', value = ''] = (command === 'i' ? data.subarray(4) : data).toString('latin1').split('\0');
    added = `${name}: ${value.replace(/\r?\n/g, '\r\n')}\r\n${added}`;
  }
}

function send(socket: Socket, command: string, data: Buffer): void {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(data.length + 1, 0);
  head.write(command, 4);
  socket.write(Buffer.concat([head, data]));
}

function packetsOf(socket: Socket): () => Promise<Packet> {
  let buffered = Buffer.alloc(0);
  const chunks = socket[Symbol.asyncIterator]();
  return async () => {
    while (buffered.length < 4 || buffered.length < 4 + buffered.readUInt32BE(0)) {
      const next = await chunks.next();
      if (next.done) throw new Error('the milter hung up');
      buffered = Buffer.concat([buffered, next.value]);
    }
    const end = 4 + buffered.readUInt32BE(0);
    const packet = { command: buffered.toString('latin1', 4, 5), data: buffered.subarray(5, end) };
    buffered = buffered.subarray(end);
    return packet;
  };
}
