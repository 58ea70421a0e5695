// A mail host that sends to us: says its message line by line, waits for each reply, and tries again later if it was not told 250. What
// it was told is what the service has promised.
import type { SimClock } from '#test/simulation/engine/clock.ts';
import type { Random } from '#test/simulation/engine/random.ts';
import { connect, type Network, type SimSocket } from '#test/simulation/engine/sockets.ts';
import type { Faults } from '#test/simulation/faults.ts';
import { addresses, listenerIp, senders } from './places.ts';

/** A message as it is sent; `bytes` without dot-stuffing. */
export type SentMessage = {
  readonly n: number;
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly bytes: Buffer;
  readonly sendAtMs: number;
};

/** What a client was told 250 for. */
export type Acknowledged = {
  readonly message: SentMessage;
  readonly recipients: readonly string[];
  readonly id: string;
  readonly at: number;
};

export type ClientWorld = {
  readonly clock: SimClock;
  readonly random: Random;
  readonly network: Network;
  readonly note: (line: string) => void;
  readonly faults: Faults['client'];
  readonly mayFail: () => boolean;
  readonly acknowledged: Acknowledged[];
};

const mostTries = 12;

/** Sends a message until it is acknowledged or refused for good; resolves then, or when it gives up. */
export async function sendMessage(world: ClientWorld, message: SentMessage): Promise<void> {
  const { clock, random, note } = world;
  await clock.sleep(message.sendAtMs);
  for (let tries = 1; tries <= mostTries; tries++) {
    const outcome = await trySending(world, message);
    note(`client ${message.n}: ${outcome}`);
    if (outcome !== 'again') return;
    await clock.sleep(random.between(5_000, 30_000));
  }
}

type Line = { readonly code: number; readonly text: string };

async function trySending(world: ClientWorld, message: SentMessage): Promise<'acknowledged' | 'refused' | 'again'> {
  const { random, network, clock, faults, mayFail } = world;
  const socket = connect(network, { host: listenerIp, port: 25, from: `198.51.100.${1 + (message.n % 200)}` });
  const reply = createReplies(socket, clock);
  const breakAt = mayFail() && random.chance(faults.breaksOff) ? random.between(1, 8) : Number.POSITIVE_INFINITY;
  let step = 0;
  const ask = async (text: string | Buffer): Promise<Line | null> => {
    step += 1;
    if (step === breakAt) socket.destroy();
    else socket.write(text);
    return reply();
  };
  try {
    if ((await reply())?.code !== 220) return 'again';
    if ((await ask('EHLO client.example\r\n'))?.code !== 250) return 'again';
    if ((await ask(`MAIL FROM:<${message.sender}>\r\n`))?.code !== 250) return 'again';
    const taken: string[] = [];
    let refused = 0;
    for (const recipient of message.recipients) {
      const answer = await ask(`RCPT TO:<${recipient}>\r\n`);
      if (answer === null) return 'again';
      if (answer.code === 250) taken.push(recipient);
      else if (answer.code >= 500) refused += 1;
    }
    if (taken.length === 0) return refused === message.recipients.length ? 'refused' : 'again';
    if ((await ask('DATA\r\n'))?.code !== 354) return 'again';
    const wire = Buffer.from(`${message.bytes.toString('latin1').replaceAll(/^\./gm, '..')}.\r\n`, 'latin1');
    const half = random.between(0, wire.length);
    socket.write(wire.subarray(0, half));
    await clock.sleep(random.between(0, 300));
    const answer = await ask(wire.subarray(half));
    const id = /accepted as ([0-9A-Z]{26})/.exec(answer?.text ?? '')?.[1];
    if (answer?.code !== 250 || id === undefined) return (answer?.code ?? 0) >= 500 ? 'refused' : 'again';
    world.acknowledged.push({ message, recipients: taken, id, at: clock.now() });
    socket.write('QUIT\r\n');
    await reply();
    return 'acknowledged';
  } finally {
    socket.destroy();
  }
}

const patienceMs = 300_000;

/** The next reply, its last line; null if the connection is gone, or nothing comes in five minutes. */
function createReplies(socket: SimSocket, clock: SimClock): () => Promise<Line | null> {
  let text = '';
  let isGone = false;
  let wake = (): void => {};
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    wake();
  });
  const gone = (): void => {
    isGone = true;
    wake();
  };
  socket.on('error', gone).on('end', gone).on('close', gone);
  return async () => {
    let isLate = false;
    const timer = clock.in(patienceMs, () => {
      isLate = true;
      wake();
    });
    try {
      for (;;) {
        const found = /^(\d{3}) (.*)\r\n/m.exec(text);
        if (found !== null) {
          text = text.slice(found.index + found[0].length);
          return { code: Number(found[1]), text: found[2] ?? '' };
        }
        if (isGone || isLate) return null;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      timer.cancel();
    }
  };
}

/** Draws the messages of a seed, sent within so many milliseconds. */
export function drawMessages(random: Random, count: number, withinMs: number): SentMessage[] {
  return Array.from({ length: count }, (_, n) => {
    const sender = random.pick(senders);
    const wanted = random.pick([1, 1, 1, 2, 3]);
    const recipients = [...new Set(Array.from({ length: wanted }, () => random.pick(Object.keys(addresses))))];
    return { n, sender, recipients, bytes: drawBytes(random, { n, sender }), sendAtMs: random.between(0, withinMs) };
  });
}

function drawBytes(random: Random, { n, sender }: { readonly n: number; readonly sender: string }): Buffer {
  const author = sender === '' ? 'robot@elsewhere.example' : sender;
  const text = Array.from({ length: random.between(0, 40) }, (_, line) => drawLine(random, line)).join('');
  const head = [
    `From: <${author}>`,
    `To: <ann@mail.example>`,
    `Subject: message ${n}`,
    `Message-ID: <message-${n}@client.example>`,
    'MIME-Version: 1.0',
  ].join('\r\n');
  if (random.chance(0.6)) return Buffer.from(`${head}\r\n\r\n${text}`, 'latin1');
  const attached = random
    .bytes(random.between(1, 3_000))
    .toString('base64')
    .replaceAll(/.{1,76}/g, '$&\r\n');
  return Buffer.from(
    [
      `${head}\r\nContent-Type: multipart/mixed; boundary=part\r\n\r\n--part\r\n\r\n${text}\r\n--part\r\n`,
      'Content-Type: application/octet-stream; name=a.bin\r\nContent-Transfer-Encoding: base64\r\n',
      `Content-Disposition: attachment; filename=a.bin\r\n\r\n${attached}--part--\r\n`,
    ].join(''),
    'latin1',
  );
}

function drawLine(random: Random, line: number): string {
  return `${random.pick(['', '', '.', '..', 'From ', '\t', '\xe9\xe8 '])}${'x'.repeat(random.between(0, 90))}${line}\r\n`;
}
