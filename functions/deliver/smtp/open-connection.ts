// From an address to a connection that is ready for mail: TCP, greeting, EHLO or HELO (RFC 5321 §3.1, §3.2), STARTTLS
// (RFC 3207) or TLS from the first byte (RFC 8314), AUTH for a smarthost (RFC 4954). Opportunistic TLS whose handshake fails
// is tried once more in clear on a new connection; every stricter policy ends there.
import type { SecureContext } from 'node:tls';
import { isPositive, type Reply, shownReply } from '#mail/smtp/reply.ts';
import { type Broken, isBroken } from './reply-reader.ts';
import { openSmtpSocket, type SmtpSocket, type TlsFacts } from './smtp-socket.ts';
import type { Timeouts } from './timeouts.ts';

/**
 * What TLS must be. `never`: not even if offered; `opportunistic`: if offered, any certificate, else in clear;
 * `encrypted`: always, any certificate; `verified`: always, and the certificate must be the host's.
 */
export type TlsPolicy = 'never' | 'opportunistic' | 'encrypted' | 'verified';

/** One address of one host to connect to. */
export type Endpoint = { readonly host: string; readonly ip: string; readonly port: number };

/** How to open a connection. `clientName` is what we call ourselves in EHLO. */
export type OpenRequest = {
  readonly endpoint: Endpoint;
  readonly clientName: string;
  readonly tls: TlsPolicy;
  /** TLS from the first byte instead of STARTTLS. */
  readonly implicitTls: boolean;
  readonly login: { readonly user: string; readonly password: string } | null;
  readonly context: SecureContext;
  readonly tlsSession: Buffer | null;
  readonly timeouts: Timeouts;
  /** When all must be over, in `performance.now()` milliseconds. */
  readonly deadline: number;
  /** Ends it at once: a host that takes its time has to make room. */
  readonly signal: AbortSignal;
};

/** A connection that said EHLO and is ready for MAIL. `capabilities`: EHLO keyword in upper case → its parameters. */
export type SmtpConnection = {
  readonly socket: SmtpSocket;
  readonly endpoint: Endpoint;
  readonly capabilities: ReadonlyMap<string, string>;
  readonly tls: TlsFacts | null;
  /** A note for the record, e.g. that TLS was offered and failed. */
  readonly note: string | null;
};

/**
 * `stage` is where it ended. `reply` is the peer's refusal, if it was one; `how` what broke, if it broke;
 * `policy`: what the peer can do is not enough.
 */
export type OpenFailure = {
  readonly outcome: 'failed';
  readonly stage: 'connect' | 'greeting' | 'hello' | 'tls' | 'login';
  readonly how: Broken['how'] | 'refused' | 'policy';
  readonly reply: Reply | null;
  readonly reason: string;
};

export type OpenOutcome = { readonly outcome: 'open'; readonly connection: SmtpConnection } | OpenFailure;

/** Opens a connection and gets it ready for MAIL. Never throws. */
export async function openConnection(request: OpenRequest): Promise<OpenOutcome> {
  const first = await openOnce(request);
  const inClear = first.outcome === 'failed' && first.stage === 'tls' && request.tls === 'opportunistic';
  if (!inClear || request.implicitTls) return first;
  const second = await openOnce({ ...request, tls: 'never' });
  if (second.outcome === 'failed') return second;
  return { outcome: 'open', connection: { ...second.connection, note: clearNote(first.reason) } };
}

/** Why a connection is ended that was slow when very many were. */
export const madeRoom: Broken = { how: 'timeout', detail: 'too slow, while very many others were slow as well' };

async function openOnce(request: OpenRequest): Promise<OpenOutcome> {
  const { endpoint, timeouts, deadline } = request;
  const connectMs = Math.max(1, Math.min(timeouts.connectMs, deadline - performance.now()));
  const socket = await openSmtpSocket(endpoint, connectMs);
  if (isBroken(socket)) return brokenAt('connect', socket);
  socket.setDeadline(deadline);
  const giveUp = (): void => socket.fail(madeRoom);
  request.signal.addEventListener('abort', giveUp, { once: true });
  const outcome = request.signal.aborted ? brokenAt('greeting', madeRoom) : await getReady(socket, request);
  request.signal.removeEventListener('abort', giveUp);
  if (outcome.outcome === 'open') return outcome;
  if (outcome.how === 'refused' || outcome.how === 'policy') socket.write('QUIT\r\n'); // RFC 5321 §3.1, §4.1.1.10
  socket.close();
  return outcome;
}

async function getReady(socket: SmtpSocket, request: OpenRequest): Promise<OpenOutcome> {
  let tls: TlsFacts | null = null;
  let note: string | null = null;
  if (request.implicitTls) {
    const secured = await secure(socket, request);
    if ('outcome' in secured) return secured;
    tls = secured;
  }
  const greeting = await socket.nextReply(request.timeouts.greetMs);
  if (isBroken(greeting)) return brokenAt('greeting', greeting);
  if (greeting.code !== 220) return refusedAt('greeting', greeting);
  let hello = await sayHello(socket, request);
  if ('outcome' in hello) return hello;
  if (tls === null && request.tls !== 'never' && hello.has('STARTTLS')) {
    const secured = await startTls(socket, request);
    if ('outcome' in secured) return secured;
    if ('clear' in secured) note = clearNote(secured.clear);
    else {
      tls = secured;
      hello = await sayHello(socket, request); // RFC 3207 §4.2: what was said in clear is forgotten
      if ('outcome' in hello) return hello;
    }
  }
  const { tls: policy, endpoint } = request;
  if (tls === null && policy !== 'never' && policy !== 'opportunistic') {
    return failedPolicy('the host does not offer STARTTLS, and sending in clear is not allowed');
  }
  if (request.login !== null) {
    if (tls === null && !socket.isLoopback) return failedPolicy(clearPassword, 'login');
    const { greetMs } = request.timeouts;
    const refusal = await logIn(socket, request.login, { mechanisms: hello.get('AUTH') ?? '', greetMs });
    if (refusal !== null) return refusal;
  }
  return { outcome: 'open', connection: { socket, endpoint, capabilities: hello, tls, note } };
}

/** EHLO, and HELO if that is not understood (RFC 5321 §3.2): answers the capabilities, none after HELO. */
async function sayHello(
  socket: SmtpSocket,
  { clientName, timeouts }: OpenRequest,
): Promise<Map<string, string> | OpenFailure> {
  socket.write(`EHLO ${clientName}\r\n`);
  const ehlo = await socket.nextReply(timeouts.greetMs);
  if (isBroken(ehlo)) return brokenAt('hello', ehlo);
  if (isPositive(ehlo)) return capabilitiesOf(ehlo);
  if (ehlo.code < 500 || ehlo.code === 521 || ehlo.code === 554) return refusedAt('hello', ehlo);
  socket.write(`HELO ${clientName}\r\n`);
  const helo = await socket.nextReply(timeouts.greetMs);
  if (isBroken(helo)) return brokenAt('hello', helo);
  return isPositive(helo) ? new Map() : refusedAt('hello', helo);
}

/** A peer that offers STARTTLS and then refuses it leaves an opportunistic connection in clear and usable, for that reason. */
async function startTls(
  socket: SmtpSocket,
  request: OpenRequest,
): Promise<TlsFacts | OpenFailure | { readonly clear: string }> {
  socket.write('STARTTLS\r\n');
  const go = await socket.nextReply(request.timeouts.greetMs);
  if (isBroken(go)) return brokenAt('tls', go);
  if (go.code === 220) return secure(socket, request);
  const refused = refusedAt('tls', go);
  return request.tls === 'opportunistic' && go.code !== 421 ? { clear: refused.reason } : refused;
}

async function secure(socket: SmtpSocket, request: OpenRequest): Promise<TlsFacts | OpenFailure> {
  const { endpoint, context, tlsSession, timeouts, tls } = request;
  const facts = await socket.startTls({ name: endpoint.host, context, tlsSession }, timeouts.greetMs);
  if (isBroken(facts)) return brokenAt('tls', facts);
  if (tls !== 'verified' || facts.problem === null) return facts;
  return failedPolicy(`the host's certificate is not to be trusted: ${facts.problem}`);
}

const clearPassword = 'the connection is not encrypted and leaves this machine: the password is not sent';

async function logIn(
  socket: SmtpSocket,
  { user, password }: NonNullable<OpenRequest['login']>,
  { mechanisms, greetMs }: { readonly mechanisms: string; readonly greetMs: number },
): Promise<OpenFailure | null> {
  const offered = mechanisms.toUpperCase().split(/\s+/);
  const lines = offered.includes('PLAIN')
    ? [`AUTH PLAIN ${base64(`\0${user}\0${password}`)}`]
    : ['AUTH LOGIN', base64(user), base64(password)];
  if (!offered.includes('PLAIN') && !offered.includes('LOGIN')) {
    return failedPolicy('the smarthost offers neither AUTH PLAIN nor LOGIN', 'login');
  }
  for (const [index, line] of lines.entries()) {
    socket.write(`${line}\r\n`);
    const reply = await socket.nextReply(greetMs);
    if (isBroken(reply)) return brokenAt('login', reply);
    const isLast = index === lines.length - 1;
    if (isLast ? reply.code !== 235 : reply.code !== 334) return refusedAt('login', reply);
  }
  return null;
}

function capabilitiesOf(reply: Reply): Map<string, string> {
  const entries = reply.text
    .split('\n')
    .slice(1)
    .map((line): [string, string] => {
      const [, keyword = '', parameters = ''] = /^([A-Za-z0-9-]+)[ =]?(.*)$/.exec(line) ?? [];
      return [keyword.toUpperCase(), parameters];
    });
  return new Map(entries.filter(([keyword]) => keyword !== ''));
}

/** A limit the peer stated (RFC 9422), or infinity. */
export function statedLimit(
  { capabilities }: Pick<SmtpConnection, 'capabilities'>,
  name: 'MAILMAX' | 'RCPTMAX',
): number {
  const words = (capabilities.get('LIMITS') ?? '').toUpperCase().split(/\s+/);
  const stated = words.map((word) => new RegExp(`^${name}=(\\d{1,6})$`).exec(word)?.[1]).find((found) => found);
  return stated === undefined || Number(stated) === 0 ? Number.POSITIVE_INFINITY : Number(stated);
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

function clearNote(reason: string): string {
  return `sent in clear, because STARTTLS was offered but failed: ${reason}`;
}

/** What was under way, for people. */
const under = {
  connect: '',
  greeting: 'at greeting: ',
  hello: 'at EHLO: ',
  tls: 'at STARTTLS: ',
  login: 'at AUTH: ',
} as const;

function brokenAt(stage: OpenFailure['stage'], { how, detail }: Broken): OpenFailure {
  return { outcome: 'failed', stage, how, reply: null, reason: `${under[stage]}${detail}` };
}

function refusedAt(stage: OpenFailure['stage'], reply: Reply): OpenFailure {
  return { outcome: 'failed', stage, how: 'refused', reply, reason: `refused ${under[stage]}${shownReply(reply)}` };
}

function failedPolicy(reason: string, stage: 'tls' | 'login' = 'tls'): OpenFailure {
  return { outcome: 'failed', stage, how: 'policy', reply: null, reason };
}
