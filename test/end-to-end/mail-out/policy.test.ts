// A network that lets no mail out, and a policy that sends nothing in clear: mail waits, it is said why, and what does not
// end is told of in the end.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { generate } from 'selfsigned';
import { hasPeer, peerOptions } from '#test/support/peers/peers.ts';
import { eventually } from '#test/support/worlds/local-service.ts';
import { type SendingService, startSending } from '#test/support/worlds/sending-service.ts';

const blocked = ['one.test', 'two.test', 'three.test'];
const zone = {
  a: {
    ...Object.fromEntries(blocked.map((domain, n) => [domain, `127.0.8.${n + 1}`])),
    'clear.test': '127.0.8.11',
    'self-signed.test': '127.0.8.12',
    'broken.test': '127.0.8.13',
    'open.test': '127.0.8.14',
  },
};
let service: SendingService;
let blackHole: ChildProcess;

before(async () => {
  if (!hasPeer('dnsmasq') || !hasPeer('python3')) return;
  service = await startSending({
    zone,
    mailboxes: ['s-clear', 's-blocked'],
    config: { delivery: { tls: 'required', expireSeconds: 5 } },
  });
  blackHole = await startBlackHole(service.port, ['127.0.8.1', '127.0.8.2', '127.0.8.3']);
});
after(async () => {
  blackHole?.kill('SIGKILL');
  await service?.close();
});

describe('a network that lets no mail out', { ...peerOptions('dnsmasq', 'python3') }, () => {
  const ids: string[] = [];

  it('is told of in health, metrics and log, by the hosts that did not answer', async () => {
    for (const domain of blocked) {
      ids.push(await service.submit({ from: 's-blocked@sender.example', to: [`x@${domain}`] }));
    }
    const health = await eventually('health says so', async () => {
      const seen = await service.json('/health');
      return seen.problems.some((problem: string) => /port/.test(problem)) ? seen : null;
    });
    const said = health.problems.join('\n');
    assert.match(said, /lets no mail out \(port \d+\)/);
    for (const domain of blocked) assert.ok(said.includes(domain), domain);
    assert.notEqual(health.status, 'failing', 'mail still comes in');
    assert.match(await (await fetch(`${service.http}/metrics`)).text(), /port_25_blocked\S* \d/);
    const logged = service
      .output()
      .split('\n')
      .filter((line) => line.includes('port-25-blocked'));
    assert.equal(logged.length, 1, 'the log says it once');
  });

  it('bounces nobody: mail waits beyond its time', async () => {
    await eventually('its time is over', async () => {
      const records = await Promise.all(ids.map((id) => service.delivery(id)));
      return records.every(({ attempts, job }) => attempts.at(-1)?.at > job.expiresAt);
    });
    for (const id of ids) assert.equal((await service.delivery(id)).recipients[0].state, 'pending');
    assert.deepEqual(await service.inbox('s-blocked'), []);
  });

  it('is forgotten with the first host that answers', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'open.test' }]);
    await service.host('127.0.8.14', { certificate: { cert, key } });
    await service.whenDelivery(await service.submit({ to: ['x@open.test'] }), 'delivered');
    assert.deepEqual((await service.json('/health')).problems, []);
    const [id = ''] = ids;
    await service.retry(id, 'one.test');
    assert.equal((await service.whenDelivery(id, 'bounced')).recipients[0].status, '5.4.7');
  });
});

describe('where nothing may be sent in clear', { concurrency: 3, ...peerOptions('dnsmasq', 'python3') }, () => {
  it('mail for a host without STARTTLS waits, and bounces in the end with that reason', async () => {
    const host = await service.host('127.0.8.11');
    const id = await service.submit({ from: 's-clear@sender.example', to: ['x@clear.test'] });
    const record = await service.whenDelivery(id, 'bounced');
    assert.ok(record.attempts.length > 1, 'it was tried again');
    assert.match(record.recipients[0].reason, /does not offer STARTTLS, and sending in clear is not allowed/);
    assert.ok(host.commands.every((line) => !/^(MAIL|RCPT|DATA)/.test(line)));
    const [dsn] = await service.whenInbox('s-clear', 1);
    assert.match((await service.raw(dsn.id)).toString(), /does not offer STARTTLS/);
  });

  it('a handshake that fails is not followed by mail in clear', async () => {
    const host = await service.host('127.0.8.13', {
      offers: ['STARTTLS'],
      answer: (line) => (line === 'STARTTLS' ? '220 go\r\nthis is no TLS' : undefined),
    });
    const record = await service.whenDelivery(await service.submit({ to: ['x@broken.test'] }), 'waiting');
    assert.match(record.recipients[0].reason, /in clear after its reply to STARTTLS|TLS handshake failed/);
    assert.equal(host.mails.length, 0);
  });

  it('a certificate that nobody vouches for is encryption enough', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'somebody.else' }]);
    const host = await service.host('127.0.8.12', { certificate: { cert, key } });
    const record = await service.whenDelivery(await service.submit({ to: ['x@self-signed.test'] }), 'delivered');
    assert.equal(host.mails.length, 1);
    assert.match(record.attempts[0].hosts[0].tls.problem, /self.signed|SELF_SIGNED/i);
  });
});

/** Sockets that are listened on and never accepted from, their queues full: a connection to them is never answered. */
async function startBlackHole(port: number, ips: readonly string[]): Promise<ChildProcess> {
  const script = `
import socket, sys, time
held = []
for ip in sys.argv[2:]:
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind((ip, int(sys.argv[1]))); s.listen(0); held.append(s)
    for n in range(4):
        c = socket.socket(); c.setblocking(False); c.connect_ex((ip, int(sys.argv[1]))); held.append(c)
print('ready', flush=True)
time.sleep(600)
`;
  const child = spawn('python3', ['-c', script, String(port), ...ips], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}
