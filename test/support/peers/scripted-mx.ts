// A mail host that says what a test wants: every reply can be another, and everything it was told is kept. Speaks
// STARTTLS with a certificate where it is given one. Its DATA ends at CRLF.CRLF, or at what `endsData` says.
import { createServer, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';

export type Mail = { readonly mail: string; readonly rcpts: string[]; content: string };

export type Script = {
  readonly banner?: string | null;
  /** Keywords offered after EHLO; null refuses EHLO. */
  readonly offers?: readonly string[] | null;
  /** The answer to a command, by its whole line; undefined for the usual one, null for none, `close` to hang up. */
  readonly answer?: (command: string, connection: number) => string | null | undefined | 'close';
  /** The answer to the final dot. */
  readonly accept?: (mail: Mail, connection: number) => string | null | 'close' | Promise<string>;
  readonly certificate?: { readonly cert: string; readonly key: string };
  readonly implicitTls?: boolean;
  readonly host?: string;
};

export type ScriptedMx = {
  readonly port: number;
  /** Every command line, in order. */
  readonly commands: string[];
  /** Every message whose final dot came, whatever was answered. */
  readonly mails: Mail[];
  readonly connections: () => number;
  script: Script;
  readonly close: () => Promise<void>;
};

const usual = ['PIPELINING', '8BITMIME', 'SIZE 10485760', 'ENHANCEDSTATUSCODES'];

/** Starts one on a free port of 127.0.0.1 (or `host`). */
export async function startMx(script: Script = {}, port = 0): Promise<ScriptedMx> {
  const sockets = new Set<Socket>();
  let count = 0;
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    serve(mx, socket, ++count);
  });
  await new Promise<void>((resolve) => server.listen(port, script.host ?? '127.0.0.1', resolve));
  const address = server.address();
  const mx: ScriptedMx = {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    commands: [],
    mails: [],
    connections: () => count,
    script,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return mx;
}

function serve(mx: ScriptedMx, plain: Socket, connection: number): void {
  let socket: Socket = plain;
  let isTls = false;
  let buffer = '';
  let mail: Mail | null = null;
  let inData = false;
  const say = (text: string | null): void => {
    if (text === 'close') socket.destroy();
    else if (text !== null && socket.writable) socket.write(`${text}\r\n`);
  };
  const listen = (): void => {
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      buffer += chunk.toString('latin1');
      read();
    });
  };
  const secure = (): void => {
    plain.removeAllListeners('data');
    const { cert, key } = mx.script.certificate!;
    socket = new TLSSocket(plain, { isServer: true, secureContext: createSecureContext({ cert, key }) });
    isTls = true;
    buffer = '';
    listen();
  };
  const read = (): void => {
    while (true) {
      if (inData) {
        const end = buffer.startsWith('.\r\n') ? 0 : buffer.indexOf('\r\n.\r\n') + 2;
        if (end === 1) return;
        mail!.content = buffer.slice(0, end).replace(/^\.\./gm, '.');
        buffer = buffer.slice(end + 3);
        inData = false;
        mx.mails.push(mail!);
        const answer = (mx.script.accept ?? (() => '250 2.0.0 taken'))(mail!, connection);
        if (answer instanceof Promise) void answer.then(say);
        else say(answer);
        mail = null;
        continue;
      }
      const end = buffer.indexOf('\r\n');
      if (end < 0) return;
      const line = buffer.slice(0, end);
      buffer = buffer.slice(end + 2);
      command(line);
    }
  };
  const command = (line: string) => {
    mx.commands.push(line);
    const verb = line.split(/[ :]/)[0]!.toUpperCase();
    const scripted = mx.script.answer?.(line, connection);
    const isPositive = scripted === undefined || /^[23]/.test(scripted ?? '');
    if (verb === 'MAIL' && isPositive) mail = { mail: line, rcpts: [], content: '' };
    if (verb === 'RCPT' && isPositive) mail?.rcpts.push(line);
    if (verb === 'RSET') mail = null;
    if (scripted !== undefined) {
      if (verb === 'DATA' && scripted?.startsWith('354')) inData = true;
      say(scripted);
      return;
    }
    switch (verb) {
      case 'EHLO': {
        const offers = mx.script.offers === undefined ? usual : mx.script.offers;
        if (offers === null) return say('502 5.5.1 unknown');
        const all = [...offers, ...(mx.script.certificate && !isTls ? ['STARTTLS'] : [])];
        const lines = ['mx.test greets you', ...all];
        return say(lines.map((text, index) => `250${index < lines.length - 1 ? '-' : ' '}${text}`).join('\r\n'));
      }
      case 'STARTTLS':
        socket.write('220 2.0.0 go\r\n');
        return secure();
      case 'DATA':
        if (mail === null || mail.rcpts.length === 0) return say('503 5.5.1 no recipients');
        inData = true;
        return say('354 go on');
      case 'RCPT':
      case 'MAIL':
        return say(verb === 'RCPT' && mail === null ? '503 5.5.1 MAIL first' : '250 2.1.0 fine');
      case 'QUIT':
        say('221 2.0.0 bye');
        socket.end();
        return;
      default:
        return say('250 2.0.0 fine');
    }
  };
  listen();
  if (mx.script.implicitTls) secure();
  if (mx.script.banner !== null) say(mx.script.banner ?? '220 mx.test ESMTP');
}
