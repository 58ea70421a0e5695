// Checks whether another server's port 25 can be reached from here: many networks block it.
import { connect } from 'node:net';
import type { Finding } from './finding.ts';

const waitMs = 10_000;

/** `target`: a host, or `host:port`. `relay`: where mail goes instead; then port 25 is not needed. */
export function checkPort25(target: string, relay: string | null): Promise<Finding> {
  const [, bracketed, plain, portText] = /^(?:\[(.+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(target) ?? [];
  const host = bracketed ?? plain ?? target;
  const port = portText === undefined ? 25 : Number(portText);
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: waitMs });
    const end = (level: Finding['level'], what: string): void => {
      socket.destroy();
      const isMoot = level === 'missing' && relay !== null;
      done(isMoot ? { level: 'advice', what: `${what}; mail leaves by ${relay}, so it need not be` } : { level, what });
    };
    socket.once('data', (data) => {
      end('ok', `${host} answers on port ${port}: ${data.toString('latin1').slice(0, 80).trim()}`);
    });
    socket.once('timeout', () => {
      const advice = 'outbound port 25 may be blocked here; ask for it to be opened, or send over a smarthost';
      end('missing', `${host} does not answer on port ${port}: ${advice}`);
    });
    socket.once('error', (error) => end('missing', `${host}: port ${port} cannot be reached: ${error.message}`));
    socket.once('end', () => end('missing', `${host} closes port ${port} without a greeting`));
  });
}
