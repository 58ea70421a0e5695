// Faults of ours, and restarts, as an operator has them: the whole service as a process, its files, its hosts, kill -9.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hashPassword } from '#pipeline/password.ts';
import { eventually } from '#test/support/local-service.ts';
import { peerOptions } from '#test/support/peers.ts';
import { login, type SendingService, startSending } from '#test/support/sending-service.ts';

const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

test(
  'a DKIM key that is gone holds up its own domain alone, is told everywhere, and mail goes out when it is back',
  peerOptions('dnsmasq'),
  async (t) => {
    const service = await startSending({
      zone: { a: { 'far.test': '127.0.7.1' } },
      config: {
        domains: {
          'sender.example': { mailboxes: ['app'], dkim: [{ selector: 's1', privateKey: 'file:key.pem' }] },
          'unsigned.example': { mailboxes: ['app'] },
        },
        users: [
          {
            name: login.user,
            password: await hashPassword(login.password),
            mayFrom: ['*@sender.example', '*@unsigned.example'],
          },
        ],
      },
    });
    t.after(service.close);
    const mx = await service.host('127.0.7.1');
    const ids: string[] = [];
    for (let n = 0; n < 20; n++) ids.push(await service.submit({ to: [`b${n}@far.test`] }));
    const unsigned = await service.submit({ from: 'app@unsigned.example', to: ['c@far.test'] });
    await service.whenDelivery(unsigned, 'delivered');
    const reason = /the DKIM key "file:key.pem" cannot be read: ENOENT/;
    await eventually('all wait', async () => {
      const { deliveries } = await service.json('/api/deliveries?state=waiting');
      return deliveries.length === 20 && deliveries.every((one: any) => reason.test(one.reason));
    });
    const trace = await service.json(`/api/messages/${ids[0]}/trace`);
    assert.match(trace.where.join('\n'), /next attempt at .*: the DKIM key "file:key.pem" cannot be read/);
    assert.doesNotMatch(JSON.stringify(trace), /interrupted/);
    const health = await service.json('/health');
    assert.match(health.problems.join('\n'), /20 jobs of queue deliver wait until this is mended: the DKIM key/);
    await eventually('each was tried six times and more', async () => service.output().split('"faults":6').length > 20);
    assert.equal(await dead(service), 0);
    writeFileSync(join(service.folder, 'key.pem'), pem);
    for (const id of ids) await service.whenDelivery(id, 'delivered');
    assert.equal(mx.mails.length, 21);
    assert.ok(mx.mails.filter(({ content }) => /^DKIM-Signature: .*d=sender\.example/s.test(content)).length === 20);
    assert.deepEqual((await service.json('/health')).problems, []);
  },
);

test(
  'six times kill -9 while one slow host holds a message: it is delivered all the same',
  peerOptions('dnsmasq'),
  async (t) => {
    let service = await startSending({
      zone: { a: { 'slow.test': '127.0.7.2' } },
      config: { delivery: { attemptSeconds: 60 } },
    });
    t.after(() => service.close());
    const mx = await service.host('127.0.7.2', { banner: null });
    const id = await service.submit({ to: ['b@slow.test'] });
    for (let kill = 1; kill <= 6; kill++) {
      await eventually('it is in hand', () => mx.connections() === kill);
      await service.kill();
      service = await service.restart();
    }
    mx.script = {};
    await service.kill();
    service = await service.restart();
    await service.whenDelivery(id, 'delivered');
    assert.equal(await dead(service), 0);
    assert.equal(mx.mails.length, 1);
  },
);

async function dead(service: SendingService): Promise<number> {
  const queues: any[] = await service.json('/api/queues');
  return queues.reduce((sum, queue) => sum + queue.dead, 0);
}
