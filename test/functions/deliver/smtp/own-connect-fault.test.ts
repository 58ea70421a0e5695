// Connections that this machine cannot open: the host is not blamed, and the mail waits for us.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ownConnectFault } from '#functions/deliver/smtp/own-connect-fault.ts';

const [host4, host6, out4, out6] = ['198.51.100.7', '2001:db8:7::7', '192.0.2.1', '2001:db8::1'];
const rows: readonly { title: string; code: string; ip: string; ways: readonly string[]; fault: RegExp | null }[] = [
  {
    title: 'no descriptor left in the process',
    code: 'EMFILE',
    ip: host4,
    ways: [host4, out4],
    fault: /this process has .* \(EMFILE\)/,
  },
  {
    title: 'none left on the machine',
    code: 'ENFILE',
    ip: host4,
    ways: [host4, out4],
    fault: /this machine has as many files/,
  },
  { title: 'no buffers left', code: 'ENOBUFS', ip: host6, ways: [host6, out6], fault: /no memory left/ },
  { title: 'no port left', code: 'EADDRNOTAVAIL', ip: host4, ways: [host4, out4], fault: /no port left/ },
  { title: 'no address in any family', code: 'EADDRNOTAVAIL', ip: host6, ways: [], fault: /no way out to the network/ },
  { title: 'no address in this family', code: 'EADDRNOTAVAIL', ip: host6, ways: [out4], fault: null },
  {
    title: 'no route at all',
    code: 'ENETUNREACH',
    ip: host4,
    ways: [],
    fault: /no way out to the network \(ENETUNREACH\)/,
  },
  { title: 'IPv6 where there is only IPv4', code: 'ENETUNREACH', ip: host6, ways: [out4], fault: null },
  { title: 'IPv4 where there is only IPv6', code: 'ENETUNREACH', ip: host4, ways: [out6], fault: null },
  { title: 'a router somewhere knows no way', code: 'ENETUNREACH', ip: host4, ways: [host4, out4], fault: null },
  { title: 'the interface is down', code: 'ENETDOWN', ip: host4, ways: [], fault: /no way out/ },
  { title: 'the host cannot be reached', code: 'EHOSTUNREACH', ip: host4, ways: [], fault: null },
  { title: 'the host refuses', code: 'ECONNREFUSED', ip: host4, ways: [], fault: null },
];
for (const { title, code, ip, ways, fault } of rows) {
  test(`${code} (${title}) is ${fault === null ? "not this machine's fault" : "this machine's fault"}`, async () => {
    const said = await ownConnectFault(code, ip, async (asked) => ways.includes(asked));
    if (fault === null) assert.equal(said, null);
    else assert.match(said ?? '', fault);
  });
}

const child = fileURLToPath(new URL('./own-connect-child.ts', import.meta.url));
const run = async (command: string, args: readonly string[]): Promise<any> =>
  JSON.parse((await promisify(execFile)(command, [...args])).stdout);

const limits = [
  {
    title: 'has no descriptor left',
    command: 'sh',
    args: ['-c', 'ulimit -n 64 && exec "$0" "$@"', process.execPath, child, 'files'],
    reason: /\(EMFILE\)/,
  },
  {
    title: 'has no network',
    command: 'unshare',
    args: ['-n', process.execPath, child, 'network'],
    reason: /no way out to the network/,
  },
];
for (const { title, command, args, reason } of limits) {
  test(`mail of a service that ${title} waits for us: no host is backed off, no attempt used up, and it goes out later`, async (t) => {
    const found = await run(command, args).catch((error: Error) => error);
    if (found instanceof Error && command === 'unshare')
      return t.skip('needs the right to make namespaces (unshare -n)');
    if (found instanceof Error) throw found;
    const { thrown, state, backedOff, after } = found;
    assert.equal(thrown.fault, 'system');
    assert.match(thrown.message, reason);
    assert.deepEqual([state.state, state.next.attempt, state.attempts, state.lease], ['waiting', 1, [], null]);
    assert.match(state.next.reason, reason);
    assert.deepEqual(backedOff, []);
    if (after !== null) assert.equal(after, 'delivered');
  });
}
