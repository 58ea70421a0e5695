// Checks whether another server's port 25 can be reached from here: many networks block it.
import { connect } from 'node:net';
import { advice, type Finding, missing, ok } from './finding.ts';

const waitMs = 10_000;
const relayed =
  '"delivery": { "mode": "smarthost", "smarthost": { "host": "RELAY", "user": "NAME", "password": "file:relay-password" } }';
const blocked = `Try another server; if none answers, ask whoever runs the network to open outbound port 25,\nor send over a relay, by ${relayed}.`;

/** `target`: a host, or `host:port`. `relay`: where mail goes instead; then port 25 is not needed. */
export function checkPort25(target: string, relay: string | null): Promise<Finding> {
  const [, bracketed, plain, portText] = /^(?:\[(.+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(target) ?? [];
  const host = bracketed ?? plain ?? target;
  const port = portText === undefined ? 25 : Number(portText);
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: waitMs });
    const end = (level: 'ok' | 'missing', what: string): void => {
      socket.destroy();
      const isMoot = level === 'missing' && relay !== null;
      if (isMoot) done(advice(`${what}; mail leaves by ${relay}, so it need not be`));
      else done(level === 'ok' ? ok(what) : missing(what, { hint: blocked }));
    };
    socket.once('data', (data) => {
      end('ok', `${host} answers on port ${port}: ${data.toString('latin1').slice(0, 80).trim()}`);
    });
    socket.once('timeout', () => {
      end('missing', `${host} does not answer on port ${port}: outbound port 25 may be blocked here`);
    });
    socket.once('error', (error) => end('missing', `${host}: port ${port} cannot be reached: ${error.message}`));
    socket.once('end', () => end('missing', `${host} closes port ${port} without a greeting`));
  });
}
