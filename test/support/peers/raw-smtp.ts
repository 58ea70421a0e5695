// SMTP by hand over a socket: every byte is the test's own.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export type RawSmtp = {
  readonly socket: Socket;
  /** The next whole reply, its lines joined by newlines; rejects when the connection ends before. */
  readonly reply: () => Promise<string>;
  /** Sends a command line and answers its reply. */
  readonly command: (line: string) => Promise<string>;
  readonly write: (bytes: Uint8Array | string) => Promise<void>;
  readonly close: () => void;
};

/** Connects and reads the greeting; with `tls` it is TLS from the first byte, whatever the certificate. */
export async function rawSmtp(port: number, { tls = false }: { readonly tls?: boolean } = {}): Promise<RawSmtp> {
  const smtp = speakOver(
    tls ? connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }) : connect({ host: '127.0.0.1', port }),
  );
  await smtp.reply();
  return smtp;
}

/** EHLO and STARTTLS; what comes after is within TLS, and EHLO is to be said again. */
export async function secured(smtp: RawSmtp): Promise<RawSmtp> {
  await smtp.command('EHLO client.sender.example');
  const said = await smtp.command('STARTTLS');
  if (!said.startsWith('220')) throw new Error(said);
  smtp.socket.removeAllListeners('data');
  const socket = connectTls({ socket: smtp.socket, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return speakOver(socket);
}

function speakOver(socket: Socket): RawSmtp {
  socket.setNoDelay(true);
  let text = '';
  let ended = false;
  let wake = (): void => {};
  socket.setEncoding('latin1');
  socket.on('data', (piece) => {
    text += piece;
    wake();
  });
  for (const event of ['close', 'error', 'end']) {
    socket.on(event, () => {
      ended = true;
      wake();
    });
  }
  const reply = async (): Promise<string> => {
    for (;;) {
      const match = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(text);
      if (match !== null) {
        text = text.slice(match[0].length);
        return match[0].trimEnd().replaceAll('\r\n', '\n');
      }
      if (ended) throw new Error(`the connection ended; unread: ${JSON.stringify(text)}`);
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const write = async (bytes: Uint8Array | string): Promise<void> => {
    if (!socket.write(bytes)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
  };
  return {
    socket,
    reply,
    write,
    command: async (line) => {
      await write(`${line}\r\n`);
      return reply();
    },
    close: () => socket.destroy(),
  };
}

/** One message in one transaction; the reply to its last dot. `content` is what is to arrive: dots are stuffed here. */
export async function sendRaw(
  smtp: RawSmtp,
  {
    from = 'ann@sender.example',
    to,
    content,
    parameters = { mail: '', rcpt: '' },
  }: { from?: string; to: readonly string[]; content: Uint8Array; parameters?: { mail: string; rcpt: string } },
): Promise<string> {
  const rcpts = to.map((path) => `RCPT TO:<${path}> ${parameters.rcpt}`.trim());
  for (const line of [`MAIL FROM:<${from}> ${parameters.mail}`.trim(), ...rcpts]) {
    const said = await smtp.command(line);
    if (!said.startsWith('250')) return said;
  }
  const go = await smtp.command('DATA');
  if (!go.startsWith('354')) return go;
  await smtp.write(stuffDots(content));
  return smtp.command('.');
}

function stuffDots(content: Uint8Array): Uint8Array {
  const text = Buffer.from(content).toString('latin1');
  return Buffer.from(`${text.startsWith('.') ? '.' : ''}${text.replaceAll('\r\n.', '\r\n..')}`, 'latin1');
}
